# SPDX-License-Identifier: GPL-2.0-only
# fish completion for criu: asks the program itself, so that it is never out of date.
function __criu_commands
    criu --help 2>/dev/null | string match -r '^  [a-z-]+  .*' | string replace -r '^  ([a-z-]+) +(.*)' '$1\t$2'
end

function __criu_command
    for word in (commandline -opc)[2..]
        if contains -- $word (__criu_commands | string split -f 1 \t)
            echo $word
            return 0
        end
    end
    return 1
end

function __criu_options
    set -l command (__criu_command; or echo dump)
    criu $command --help 2>/dev/null | sed '/^Recognized/,$d' | string match -r '^ .*--[a-z].*' |
        string replace -r '^ +(?:-., )?(--[a-z-]+)\S*(?: [^ ]\S*)* *(.*)' '$1\t$2'
end

complete -c criu -f
complete -c criu -n 'not __criu_command >/dev/null' -a '(__criu_commands)'
complete -c criu -n 'string match -q -- "-*" (commandline -ct)' -a '(__criu_options)'
complete -c criu -s t -l tree -x -a '(__fish_complete_pids)'
complete -c criu -s D -l images-dir -x -a '(__fish_complete_directories)'
complete -c criu -s W -l work-dir -x -a '(__fish_complete_directories)'
complete -c criu -s r -l root -x -a '(__fish_complete_directories)'
complete -c criu -s o -l log-file -r -F
complete -c criu -l pidfile -r -F
complete -c criu -l config -r -F
complete -c criu -l action-script -r -F
complete -c criu -l feature -x -a '(criu check --feature list 2>/dev/null)'
