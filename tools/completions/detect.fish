# fish completion of detect: what it offers is what the command's own --help and error messages say.

function __detect_command
    set -l tokens (commandline -opc)
    test (count $tokens) -ge 2; and echo $tokens[2]
end

function __detect_commands
    detect --help 2>/dev/null | string match -rg '^  ([a-z+]+ +\S.*)$' | string replace -r ' +' '\t'
end

# NAME<tab>TEXT, with "=" behind the name of an option that takes a value; short ones without.
function __detect_options
    string match -q '*=*' -- (commandline -ct); and return
    ARGP_HELP_FMT=rmargin=2000,opt-doc-col=60 detect (__detect_command) --help 2>/dev/null | awk '
        function put(text,    i) {
            for (i = 1; i <= count; i++) {
                gsub(/ |\[=.*/, "", names[i])
                sub(/=.*/, "=", names[i])
                print names[i] "\t" text
            }
            count = 0
        }
        match($0, /^ ? ? ? ? ? ?-[^ ,]+(, -[^ ,]+)*/) {
            if (count) put("")
            text = substr($0, RLENGTH + 1)
            count = split(substr($0, 1, RLENGTH), names, /, */)
            sub(/^ */, "", text)
            if (text != "") put(text)
            next
        }
        count && /^        / { sub(/^ */, ""); put($0) }
        END { if (count) put("") }'
end

# The words that the option at the cursor takes, as it lists them when it gets none of them.
function __detect_values
    set -l option (string match -rg '^(--[a-z-]+)=' -- (commandline -ct))
    test -n "$option"; or return
    for word in (detect (__detect_command) $option= 2>&1 >/dev/null </dev/null | string match -rg 'is none of: (.*)' | string split ', ')
        echo $option=$word
    end
end

function __detect_rules
    detect explain 2>/dev/null | string replace -r '^(\S+) +\S+ +(.*)' '$1\t$2'
end

complete -c detect -f -n 'test -z (__detect_command)' -a '(__detect_commands)'
complete -c detect -n 'test -n (__detect_command)' -a '(__detect_options)'
# fish itself offers files behind the = of the others.
complete -c detect -f -n 'test -n "$(__detect_values)"' -a '(__detect_values)'
complete -c detect -n 'contains -- (__detect_command) run doctor' -a '(__fish_complete_subcommand --fcs-skip=2)'
complete -c detect -f -n 'contains -- (__detect_command) explain' -a '(__detect_rules)'
