# Makes one C file of the page: cmake -D OUT=html_page.c -P embed.cmake
#
# page.html has the marks @STYLE@, @SCRIPT@, their hashes for the content security policy, and @DATA@, where
# the page is cut in two.
cmake_minimum_required(VERSION 3.22)
set(SCRIPTS dom.js stacks.js diagram.js table.js layout.js view.js graph.js contention.js findings.js page.js)

# "sha256-..." of a text, in base64, which CMake has no function for.
function(policy_hash text out)
	string(SHA256 hex "${text}")
	set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
	set(base64 "")
	foreach(begin RANGE 0 60 6) # 3 bytes are 4 letters; of the last group 2 bytes are there
		string(SUBSTRING "${hex}00" ${begin} 6 group)
		math(EXPR bits "0x${group}")
		foreach(shift 18 12 6 0)
			math(EXPR index "(${bits} >> ${shift}) & 63")
			string(SUBSTRING "${alphabet}" ${index} 1 letter)
			string(APPEND base64 "${letter}")
		endforeach()
	endforeach()
	string(SUBSTRING "${base64}" 0 43 base64)
	set(${out} "sha256-${base64}=" PARENT_SCOPE)
endfunction()

function(append_bytes name text)
	string(HEX "${text}" hex)
	string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
	file(APPEND ${OUT} "const unsigned char ${name}[] = {\n${hex}\n};\nconst size_t ${name}_bytes = sizeof(${name});\n")
endfunction()

# A file's text as it is: file(READ) keeps every byte, and nothing below treats it as a list.
set(script "\n")
foreach(name ${SCRIPTS})
	file(READ ${CMAKE_CURRENT_LIST_DIR}/${name} part)
	string(APPEND script "${part}")
endforeach()
file(READ ${CMAKE_CURRENT_LIST_DIR}/style.css style)
file(READ ${CMAKE_CURRENT_LIST_DIR}/page.html page)
policy_hash("${style}" STYLE_HASH)
policy_hash("${script}" SCRIPT_HASH)
string(REPLACE "@STYLE_HASH@" "${STYLE_HASH}" page "${page}")
string(REPLACE "@SCRIPT_HASH@" "${SCRIPT_HASH}" page "${page}")
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")
string(FIND "${page}" "@DATA@" cut)
string(SUBSTRING "${page}" 0 ${cut} before)
math(EXPR behind "${cut} + 6")
string(SUBSTRING "${page}" ${behind} -1 after)

file(WRITE ${OUT} "/* Made by tools/html/embed.cmake. */\n#include \"html_page.h\"\n")
append_bytes(html_page_before "${before}")
append_bytes(html_page_after "${after}")
