# Changing text and slots of the running process.
add_library(handspan_shim_text STATIC
  text.c island.c patch.c slots.c notify.c x86_64/notify.S)
target_compile_options(handspan_shim_text PRIVATE
  $<$<COMPILE_LANGUAGE:C>:-fvisibility=hidden>)
target_compile_definitions(handspan_shim_text PRIVATE _GNU_SOURCE)
target_link_libraries(handspan_shim_text PRIVATE house_warnings)
