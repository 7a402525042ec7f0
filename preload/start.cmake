# libhandspan.so: what is preloaded. Exports nothing, imports nothing (own/own.h),
# runs before the constructors of all other objects.
add_library(handspan_own STATIC own/memory.c own/calls.c own/libc.c
  own/x86_64/clone.S)
target_compile_options(handspan_own PRIVATE -fvisibility=hidden
  -ftls-model=initial-exec
  $<$<COMPILE_LANGUAGE:C>:-mgeneral-regs-only -ffreestanding -fno-builtin
    -fno-stack-protector>)
target_link_libraries(handspan_own PRIVATE house_warnings)
add_library(handspan_preload SHARED
  start.c filter.c memory_share.c memory_lock.c config.c explicit_loader.c discreet.c exit_rules.c note.c text.c manifest_load.c types_load.c
  session_start.c modules.c branches.c decoder.c decoder_load.c demangler.c find.c
  find_names.c find_cxx.c find_ifunc.c bind_rounds.c bind_site.c bind_say.c bind_mechanism.c
  bind_capture.c bind_patched.c bind_late.c bind_lock.c bind_text.c
  callback.c callers.c
  carry_start.c fiber_watch.c loader.c ends.c fatal.c signal_stack.c altstack.c
  handled.c trap.c read_start.c served.c
  sidecar_start.c error_watch.c longjmp.c exec.c exec_env.c exec_time.c exec_target.c
  ask.c attribute_room.c thread_context_start.c words.c)
target_compile_definitions(handspan_preload PRIVATE _GNU_SOURCE)
target_compile_options(handspan_preload PRIVATE -fvisibility=hidden -ftls-model=initial-exec)
# hooks are called with the program's vector registers in place
set_source_files_properties(memory_lock.c ends.c fatal.c signal_stack.c altstack.c handled.c trap.c callback.c read_start.c served.c
  error_watch.c longjmp.c exec.c exec_env.c exec_time.c exec_target.c ask.c attribute_room.c words.c PROPERTIES
  COMPILE_OPTIONS -mgeneral-regs-only)
target_link_libraries(handspan_preload PRIVATE house_warnings
  -Wl,--start-group handspan_runtime handspan_shim
  handspan_bind
  handspan_plan handspan_manifest lane_writer handspan_own -Wl,--end-group gcc)
target_link_options(handspan_preload PRIVATE -nostdlib
  -Wl,-z,initfirst -Wl,-z,now -Wl,-z,relro -Wl,-z,defs -Wl,--as-needed
  -Wl,--build-id=sha1 -Wl,--exclude-libs,ALL -static-libgcc
  -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/export.map)
set_target_properties(handspan_preload PROPERTIES OUTPUT_NAME handspan
  LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/export.map)
install(TARGETS handspan_preload LIBRARY DESTINATION lib/handspan)

# What profilers look for (thread_context_start.c).
add_library(handspan_context SHARED x86_64/otel_thread_ctx.S)
target_link_options(handspan_context PRIVATE -nostdlib -Wl,--build-id=sha1
  -Wl,-z,noseparate-code)
set_target_properties(handspan_context PROPERTIES
  OUTPUT_NAME handspan-context LINKER_LANGUAGE C)
install(TARGETS handspan_context LIBRARY DESTINATION lib/handspan)

# C++ names as people read them: demangler.c maps it, the loader never does.
find_library(HANDSPAN_IBERTY libiberty.a REQUIRED)
add_library(handspan_demangle SHARED demangle/demangle.c
  demangle/x86_64/on_stack.S)
target_compile_options(handspan_demangle PRIVATE -fvisibility=hidden
  $<$<COMPILE_LANGUAGE:C>:-ffreestanding -fno-builtin>)
target_link_libraries(handspan_demangle PRIVATE house_warnings
  ${HANDSPAN_IBERTY})
target_link_options(handspan_demangle PRIVATE -nostdlib -Wl,-Bsymbolic
  -Wl,-z,now -Wl,-z,relro -Wl,-z,defs -Wl,--exclude-libs,ALL
  -Wl,--build-id=sha1)
set_target_properties(handspan_demangle PROPERTIES
  OUTPUT_NAME handspan-demangle LINKER_LANGUAGE C)
add_dependencies(handspan_preload handspan_demangle)
install(TARGETS handspan_demangle LIBRARY DESTINATION lib/handspan)
