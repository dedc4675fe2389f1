# The symboliser: libdw, and libstdc++ for its demangler.
pkg_check_modules(LIBDW REQUIRED IMPORTED_TARGET libdw libelf)

add_library(detect_symbols STATIC symbols.c symbols_data.c symbols_types.c)
target_link_libraries(detect_symbols PUBLIC detect_engine PRIVATE detect_flags PkgConfig::LIBDW stdc++)
if(DETECT_SANITIZE)
	target_link_libraries(detect_symbols PUBLIC detect_sanitize)
endif()
