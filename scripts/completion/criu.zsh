#compdef criu
# SPDX-License-Identifier: GPL-2.0-only
# zsh completion for criu: asks the program itself, so that it is never out of date.
_criu_commands()
{
	local -a commands
	commands=(${(f)"$(criu --help 2>/dev/null | sed -n 's/^  \([a-z-]*\)  *\(.*\)/\1:\2/p')"})
	(( $#commands )) && _describe -t commands 'command' commands
}

_criu()
{
	local command word
	local -a options
	local names=" $(criu --help 2>/dev/null | sed -n 's/^  \([a-z-]*\)  .*/\1/p' | tr '\n' ' ')"

	for word in ${words[2,CURRENT-1]}; do
		[[ $names == *" $word "* ]] && command=$word
	done
	case ${words[CURRENT-1]} in
	-t | --tree) _pids; return ;;
	-D | --images-dir | -W | --work-dir | -r | --root | -L | --libdir) _directories; return ;;
	-o | --log-file | --pidfile | --config | --action-script) _files; return ;;
	--feature) compadd -- $(criu check --feature list 2>/dev/null); return ;;
	esac
	if [[ -z $command && $PREFIX != -* ]]; then
		_criu_commands
		return
	fi
	options=(${(f)"$(criu ${command:-dump} --help 2>/dev/null | sed '/^Recognized/,$d' |
		sed -n 's/^ .*\(--[a-z][a-z-]*\)[^ ]*\( [^ ]\{1,\}\)*   *\(.*\)/\1:\3/p; s/^ .*\(--[a-z][a-z-]*\)[^ ]*\( [^ ]\{1,\}\)*$/\1/p')"})
	(( $#options )) && _describe -o -t options 'option' options
	[[ $PREFIX == -* ]] || _files
}

_criu "$@"
