# SPDX-License-Identifier: GPL-2.0-only
# bash completion for criu: queries the program itself, so that it is never out of date.
_criu()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command="" word

	COMPREPLY=()
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		dump | restore | check | pre-dump | page-server | lazy-pages | service | swrk | dedup | cpuinfo | help) command=$word ;;
		esac
	done
	case $prev in
	-t | --tree)
		mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$cur")
		return
		;;
	-D | --images-dir | -W | --work-dir | -r | --root | -L | --libdir)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	-o | --log-file | --pidfile | --config | --action-script)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--file-validation)
		mapfile -t COMPREPLY < <(compgen -W "filesize buildid" -- "$cur")
		return
		;;
	--feature)
		mapfile -t COMPREPLY < <(compgen -W "$(criu check --feature list 2>/dev/null)" -- "$cur")
		return
		;;
	esac
	if [[ -z $command && $cur != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "dump restore check help" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$(criu "${command:-dump}" --help 2>/dev/null |
			sed '/^Recognized/,$d' | grep -oE -- '--[a-z][a-z-]+')" -- "$cur")
	fi
}
complete -o filenames -F _criu criu
