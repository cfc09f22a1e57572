# What `cmake --install` puts where: the program, the library, its headers, the package files, the pages.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fob)
if(TARGET fob)
    install(TARGETS fob RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS fob_shared EXPORT fob-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS fob_static EXPORT fob-static-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${FOB_PUBLIC_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fob)

# Two export sets: the shared library must be usable where our dependencies have no development files.
install(EXPORT fob-targets NAMESPACE fob:: DESTINATION ${package_dir})
install(EXPORT fob-static-targets NAMESPACE fob:: DESTINATION ${package_dir})
configure_package_config_file(cmake/fob-config.cmake.in ${PROJECT_BINARY_DIR}/fob-config.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fob-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/fob-config.cmake ${PROJECT_BINARY_DIR}/fob-config-version.cmake
    cmake/dependencies.cmake DESTINATION ${package_dir})

set(FOB_MSGPACK_MODULE ${MSGPACK_MODULE_NAME})
configure_file(cmake/fob.pc.in ${PROJECT_BINARY_DIR}/fob.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/fob.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(EXISTS ${PROJECT_SOURCE_DIR}/man/fob.1)
    install(FILES man/fob.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
install(FILES README.md ARCHITECTURE.md FAILURES.md CHANGELOG.md LICENSE proto/PROTOCOL.md
    DESTINATION ${CMAKE_INSTALL_DOCDIR})
