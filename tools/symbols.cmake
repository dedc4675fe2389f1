# The symboliser: libdw, and libstdc++ for its demangler.
pkg_check_modules(LIBDW REQUIRED IMPORTED_TARGET libdw libelf)

add_library(detect_symbols STATIC symbols.c symbols_data.c symbols_detail.c symbols_frames.c symbols_heap.c symbols_local.c symbols_names.c
	symbols_types.c symbols_units.c symbols_walk.c)
target_link_libraries(detect_symbols PUBLIC detect_engine PRIVATE detect_flags PkgConfig::LIBDW stdc++)
if(DETECT_SANITIZE)
	target_link_libraries(detect_symbols PUBLIC detect_sanitize)
endif()
