# `cpack -G DEB` or `cpack -G TGZ` in the build folder: one package, handspan.
set(CPACK_PACKAGE_NAME handspan)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The handspan authors <handspan@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
  "where the time of native pipelines goes, and what went wrong in them")
set(CPACK_PACKAGE_DESCRIPTION
  "Spans around the handlers of unmodified native programs: named in a manifest,
traced by a preloaded object, stored by a sidecar in an SQLite file.")
set(CPACK_RESOURCE_FILE_README ${CMAKE_SOURCE_DIR}/README.md)
set(CPACK_STRIP_FILES ON)
set(CPACK_SOURCE_IGNORE_FILES "/build/" "/[.]git/")
set(CPACK_PACKAGE_FILE_NAME
  handspan_${PROJECT_VERSION}_${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS libcurl4) # loaded with the first upload
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "debuginfod, sqlite3")
# of postgresql://, loaded with the first upload; of `serve`
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS
  "libpq5, libmicrohttpd12 | libmicrohttpd12t64")
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)

# -DHANDSPAN_BUNDLE=ON: the one library that Debian renames with each release
# comes along, where the preload looks first (preload/objects/decoder.c). For packages
# that are to be taken by more than the release they were built on.
option(HANDSPAN_BUNDLE "install libZydis beside libhandspan.so" OFF)
if(HANDSPAN_BUNDLE)
  find_library(zydis Zydis REQUIRED)
  file(REAL_PATH ${zydis} zydis)
  cmake_path(GET zydis PARENT_PATH folder)
  install(FILES ${folder}/libZydis.so.4.0.0.0 RENAME libZydis.so.4.0
    DESTINATION lib/handspan)
  set_target_properties(handspan PROPERTIES
    INSTALL_RPATH "$ORIGIN/../lib/handspan")
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${folder})
endif()
include(CPack)
