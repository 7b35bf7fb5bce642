# SPDX-License-Identifier: GPL-2.0-only
# bash completion for criu: asks the program itself, so that it is never out of date.
_criu()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command="" word commands

	COMPREPLY=()
	commands=$(criu --help 2>/dev/null | sed -n 's/^  \([a-z-]*\)  .*/\1/p')
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ " ${commands//$'\n'/ } " == *" $word "* ]] && command=$word
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
	--feature)
		mapfile -t COMPREPLY < <(compgen -W "$(criu check --feature list 2>/dev/null)" -- "$cur")
		return
		;;
	--*)
		# An option with a few possible values: --network-lock iptables|nftables|skip
		word=$(criu "${command:-dump}" --help 2>/dev/null | sed -n "s/^ .*$prev\\[*=* *\\([a-z]*|[a-z|]*\\).*/\\1/p" | head -n 1)
		if [[ -n $word ]]; then
			mapfile -t COMPREPLY < <(compgen -W "${word//|/ }" -- "$cur")
			return
		fi
		;;
	esac
	if [[ -z $command && $cur != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$(criu "${command:-dump}" --help 2>/dev/null |
			sed -n "/^Recognized/q; s/^  \(-., \|    \)\(--[a-z-]*\).*/\2/p")" -- "$cur")
	fi
}
complete -o filenames -F _criu criu
