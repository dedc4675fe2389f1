# bash completion of detect: what it offers is what the command's own --help and error messages say.

# NAME<tab>VALUE for each option of a command; VALUE is empty, "=WHAT" or "[=WHAT]".
_detect_options() {
	ARGP_HELP_FMT=rmargin=2000,opt-doc-col=60 "$1" "$2" --help 2>/dev/null | awk '
		match($0, /^ ? ? ? ? ? ?-[^ ,]+(, -[^ ,]+)*/) {
			count = split(substr($0, 1, RLENGTH), names, /, */)
			# The value is shown behind long names; a short one before them takes it too.
			at = match(names[count], /\[?=/)
			value = at ? substr(names[count], at) : ""
			for (i = 1; i <= count; i++) {
				gsub(/ |\[?=.*/, "", names[i])
				print names[i] "\t" value
			}
		}'
}

_detect_commands() {
	"$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z+]*\)  *[^ ].*/\1/p'
}

# The words that an option takes, as it lists them when it gets none of them.
_detect_words() {
	"$1" "$2" "$3=" 2>&1 >/dev/null </dev/null | sed -n "s/.* is none of: //p" | tr -d ,
}

# Is the option one that takes the next word: -f json, --format json?
_detect_takes_next() {
	[[ $'\n'$2 == *$'\n'"$1"$'\t='* ]]
}

# Index of PROGRAM of `run` and `doctor`, when it stands before the word that is completed.
_detect_program_at() {
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) ((i + 1 < COMP_CWORD)) && echo $((i + 1)) && return ;;
		=) ((i++)) ;;
		-*)
			[[ ${COMP_WORDS[i + 1]} != = ]] && _detect_takes_next "${COMP_WORDS[i]}" "$1" && ((i++))
			;;
		*) echo "$i" && return ;;
		esac
	done
}

_detect_value() {
	local detect=$1 command=$2 option=$3 current=$4 options=$5 what
	what=$(awk -F '\t' -v name="$option" '$1 == name { print $2; exit }' <<<"$options")
	case $what in
	*FILE | *FILE] | *OUT) [[ $what == *FORMAT* ]] || { COMPREPLY=($(compgen -f -- "$current")) && return; } ;;
	*DIR | *DIR]) COMPREPLY=($(compgen -d -- "$current")) && return ;;
	*=N | *=MB | *=SECONDS*) return ;;
	esac
	[[ $option == -[a-zA-Z] ]] && option=$(_detect_long "$option" "$options")
	compopt +o default 2>/dev/null
	COMPREPLY=($(compgen -W "$(_detect_words "$detect" "$command" "$option")" -- "$current"))
}

# The long name of a short option: the one behind it.
_detect_long() {
	awk -F '\t' -v name="$1" 'found { print $1; exit } $1 == name { found = 1 }' <<<"$2"
}

_detect() {
	local detect=${COMP_WORDS[0]} command=${COMP_WORDS[1]} current=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]} options program

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W "$(_detect_commands "$detect") --help --version" -- "$current"))
		return
	fi
	options=$(_detect_options "$detect" "$command")
	if [[ $command == run || $command == doctor ]]; then
		program=$(_detect_program_at "$options")
		if [[ $program ]]; then
			declare -F _command_offset >/dev/null && _command_offset "$program"
			return
		fi
	fi
	if [[ $current == = ]]; then
		_detect_value "$detect" "$command" "$before" "" "$options"
	elif [[ $before == = ]]; then
		_detect_value "$detect" "$command" "${COMP_WORDS[COMP_CWORD - 2]}" "$current" "$options"
	elif [[ $before == -* ]] && _detect_takes_next "$before" "$options"; then
		_detect_value "$detect" "$command" "$before" "$current" "$options"
	elif [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W "$(awk -F '\t' '{ print $1 ($2 ~ /^=/ && $1 ~ /^--/ ? "=" : "") }' <<<"$options")" -- "$current"))
		[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
	elif [[ $command == run || $command == doctor ]]; then
		COMPREPLY=($(compgen -c -- "$current") $(compgen -f -- "$current"))
	elif [[ $command == explain ]]; then
		COMPREPLY=($(compgen -W "$("$detect" explain 2>/dev/null | sed 's/ .*//')" -- "$current"))
	fi
}

complete -o default -F _detect detect
