// SPDX-License-Identifier: Apache-2.0

// Goroutines that call C, which calls back: panics that leave it, stacks that
// move, the collector and a profile's signals meanwhile.
package main

/*
#include <stdlib.h>
int native_work(int n);
int native_text(const char *text);
int native_call(int (*fn)(int), int n);
int goes_back(int n);
int goes_back_and_panics(int n);
static int call_back(int n) { return native_call(goes_back, n); }
static int call_panic(int n) { return native_call(goes_back_and_panics, n); }
*/
import "C"

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"unsafe"
)

//export goes_back
func goes_back(n C.int) C.int {
	if n%37 == 0 {
		runtime.GC()
	}
	return grow(int(n)%200) + C.native_work(n)
}

//export goes_back_and_panics
func goes_back_and_panics(n C.int) C.int {
	panic(fmt.Sprint("no ", n))
}

func grow(n int) C.int {
	var room [512]byte
	room[n%512] = byte(n)
	if n == 0 {
		return C.int(room[0])
	}
	return grow(n-1) + C.int(room[0])
}

func recovered(n int) (got int) {
	defer func() { got = len(recover().(string)) }()
	return int(C.call_panic(C.int(n)))
}

func fault(at *int) (got int) {
	defer func() {
		if recover() != nil {
			got = 3
		}
	}()
	return *at
}

func run(rounds int) (sum int) {
	text := C.CString("some text")
	defer C.free(unsafe.Pointer(text))
	for i := 0; i < rounds; i++ {
		sum += int(C.native_work(C.int(i)) + C.native_text(text) +
			C.call_back(C.int(i)))
		if i%5 == 0 {
			sum += recovered(i) + fault(nil)
		}
	}
	return
}

func main() {
	var all sync.WaitGroup
	sums := make([]int, 20)
	runtime.GOMAXPROCS(4)
	pprof.StartCPUProfile(io.Discard)
	for t := range sums {
		all.Add(1)
		go func(t int) {
			defer all.Done()
			sums[t] = run(200)
		}(t)
	}
	all.Wait()
	pprof.StopCPUProfile()
	fmt.Println(sums)
	os.Exit(int(C.native_work(4)))
}
