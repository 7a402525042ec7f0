// SPDX-License-Identifier: Apache-2.0
// Every C++ name of some objects, read by libhandspan-demangle.so: the same as
// libstdc++ says, on a small stack that is whole afterwards; and the
// identifier that is looked for beforehand stands in the mangled name.
//
//   naming_demangle LIBRARY OBJECT...
extern "C" {
#include "preload/demangle/demangle.h"
#include "shim/plan/names/cxx_name.h"
#include "shim/plan/image/image.h"
}
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace
{
demangle_fn *demangle;
char *stack;
unsigned names, failures, spelled_otherwise;

void fail(const char *what, const char *mangled, const char *text)
{
    failures++;
    std::printf("%s: %s: %s\n", what, mangled, text);
}

bool is_part(void *context, const char *part, size_t len)
{
    return *static_cast<std::string *>(context) == std::string(part, len);
}

void check_part(const char *mangled, const char *text)
{
    size_t len;
    const char *part = name_part(text, &len);
    if (!part)
        return;
    std::string wanted(part, len);
    if (!name_any_part(mangled, is_part, &wanted))
        fail("is passed over", mangled, text);
}

int check_name(void *, const plan_symbol *symbol)
{
    static char ours[1 << 16];
    int status;
    if (std::strncmp(symbol->name, "_Z", 2) != 0)
        return 0;
    char *text = abi::__cxa_demangle(symbol->name, nullptr, nullptr, &status);
    bool is_read = demangle(symbol->name, ours, sizeof(ours),
                            stack + DEMANGLE_STACK_BYTES);
    names++;
    if (is_read && status == 0 && std::strcmp(text, ours) != 0 &&
        std::strstr(text, "decltype"))
        spelled_otherwise++; // as newer compilers do
    else if (is_read != (status == 0) ||
             (is_read && std::strcmp(text, ours) != 0))
        fail("differs", symbol->name, is_read ? ours : "not read");
    if (is_read) {
        check_part(symbol->name, ours);
        check_part(symbol->name, name_skip_return_type(ours));
    }
    std::free(text);
    return 0;
}

bool check_object(const char *path)
{
    struct stat st;
    plan_image image;
    const char *why;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return false;
    void *bytes = mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ,
                       MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED ||
        plan_image_file(&image, bytes, static_cast<size_t>(st.st_size), &why))
        return false;
    plan_image_each_function(&image, check_name, nullptr);
    return true;
}

// Hostile ones: not read or read as libstdc++ does, and nothing is harmed.
void check_hostile()
{
    std::string deep(1000, 'P');
    const std::string hostile[] = {"_Z1f" + deep + "i",
                                   "_Z1f" + std::string(100000, 'P') + "i",
                                   "_Z",
                                   "_ZN",
                                   "_Z1fIJEE",
                                   "_ZNS_",
                                   "_Z99999999999999f",
                                   "_Z1fS99_",
                                   "_ZZZZZZZZZZ",
                                   "_Z1f" + std::string(500, 'N') + "1a"};
    for (const std::string &name : hostile) {
        plan_symbol symbol{};
        symbol.name = name.c_str();
        check_name(nullptr, &symbol);
    }
}

void check_spellings()
{
    static const char *const same[][2] = {
        {"f(char const*, int)", "f(char const *,int)"},
        {"io::label[abi:cxx11](int)", "io::label(int)"},
        {"io::label[abi:cxx11](int)", "io::label[abi:cxx11](int)"},
        {"f(std::__cxx11::basic_string<char, std::char_traits<char>, "
         "std::allocator<char> > const&)",
         "f(std::string const &)"},
    };
    for (const auto &pair : same) {
        if (!name_is_meant(pair[0], pair[1]) ||
            name_hash(pair[0]) != name_hash(pair[1]))
            fail("is not the same", pair[0], pair[1]);
    }
    if (name_is_meant("f(std::strings)", "f(std::string)") ||
        name_is_meant("f(int)", "f(int) const"))
        fail("are the same", "f(std::strings)", "f(int) const");
}
} // namespace

int main(int argc, char **argv)
{
    void *library = argc > 2 ? dlopen(argv[1], RTLD_NOW) : nullptr;
    if (!library) {
        std::printf("usage: naming_demangle LIBRARY OBJECT...\n");
        return 2;
    }
    demangle =
        reinterpret_cast<demangle_fn *>(dlsym(library, DEMANGLE_FUNCTION));
    // no page below it: a name that needs more ends this test
    char *at = static_cast<char *>(
        mmap(nullptr, DEMANGLE_STACK_BYTES + 4096, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    stack = at + 4096;
    if (mprotect(stack, DEMANGLE_STACK_BYTES, PROT_READ | PROT_WRITE) != 0)
        return 2;
    for (int i = 2; i < argc; i++) {
        if (!check_object(argv[i]))
            fail("cannot be read", argv[i], "");
    }
    check_hostile();
    check_spellings();
    std::printf("%u names, %u failures, %u expressions spelled otherwise\n",
                names, failures, spelled_otherwise);
    return failures != 0 || names < 1000;
}
