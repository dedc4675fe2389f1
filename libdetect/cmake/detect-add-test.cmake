# detect_add_test(NAME <name> COMMAND <command> [<arg>...]
#                 [OPTIONS <option>...] [SUPPRESSIONS <file>...] [BASELINE <file>] [FAIL_ON <level>]
#                 [REPORT <format>:<file>...]
#                 [WORKING_DIRECTORY <dir>] [CONFIGURATIONS <config>...])
#
# As add_test, but that the command runs under `detect run`: the test fails, with status 66, for what is found too.
# <command> may be an executable target that is defined before. OPTIONS are those of `detect run`; the others are
# short for some of them. The test has the label "detect", so that `ctest -L detect` runs these alone.
#
# WILL_FAIL, TIMEOUT, ENVIRONMENT and the like are set as for every test, by set_tests_properties.
function(detect_add_test)
	cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;BASELINE;FAIL_ON;WORKING_DIRECTORY"
		"COMMAND;OPTIONS;SUPPRESSIONS;REPORT;CONFIGURATIONS")
	if(NOT arg_NAME OR NOT arg_COMMAND)
		message(FATAL_ERROR "detect_add_test: NAME and COMMAND are needed")
	endif()
	if(arg_UNPARSED_ARGUMENTS)
		message(FATAL_ERROR "detect_add_test: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
	endif()

	set(options ${arg_OPTIONS})
	foreach(file IN LISTS arg_SUPPRESSIONS)
		get_filename_component(file "${file}" ABSOLUTE)
		list(APPEND options "--suppressions=${file}")
	endforeach()
	if(arg_BASELINE)
		get_filename_component(file "${arg_BASELINE}" ABSOLUTE)
		list(APPEND options "--baseline=${file}")
	endif()
	if(arg_FAIL_ON)
		list(APPEND options "--fail-on=${arg_FAIL_ON}")
	endif()
	foreach(report IN LISTS arg_REPORT)
		list(APPEND options "--format=${report}")
	endforeach()

	# add_test takes a target's name for its file only when it is the first word.
	list(POP_FRONT arg_COMMAND program)
	if(TARGET "${program}")
		set(program "$<TARGET_FILE:${program}>")
	endif()
	set(more)
	foreach(key WORKING_DIRECTORY CONFIGURATIONS)
		if(arg_${key})
			list(APPEND more ${key} ${arg_${key}})
		endif()
	endforeach()
	add_test(NAME "${arg_NAME}" COMMAND "${DETECT_COMMAND}" run ${options} -- "${program}" ${arg_COMMAND} ${more})
	set_tests_properties("${arg_NAME}" PROPERTIES LABELS detect ENVIRONMENT "DETECT_PRELOAD=${DETECT_PRELOAD_LIBRARY}")
endfunction()
