# The Debian package: `cpack -G DEB` in a build folder. Dependencies are what dpkg-shlibdeps finds.
set(CPACK_PACKAGE_NAME libdetect)
set(CPACK_PACKAGE_VENDOR "libdetect")
set(CPACK_PACKAGE_CONTACT "The libdetect authors <libdetect@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "deadlock detector that is preloaded into unmodified programs")
set(CPACK_PACKAGE_DESCRIPTION "It watches pthread locking in C and C++ programs without recompilation, and
tells which lock orders can deadlock, also when nothing hung in this run.
Reports as text, HTML, SARIF, JUnit and for CI systems; the lock-order graph;
contention by lock; merging of many runs.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/compress-man-pages.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "graphviz, sqlite3, cmake | pkg-config")
install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libdetect COMPONENT documentation)
# One package of all components.
set(CPACK_MONOLITHIC_INSTALL ON)
include(CPack)
