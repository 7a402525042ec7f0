// SPDX-License-Identifier: Apache-2.0
//! tokio's and rayon's workers: handlers, callbacks of theirs, panics that
//! pass frames of C.
use rayon::prelude::*;
use std::os::raw::{c_char, c_int};

extern "C-unwind" {
    fn native_work(n: c_int) -> c_int;
    fn native_text(text: *const c_char) -> c_int;
    fn native_call(f: extern "C-unwind" fn(c_int) -> c_int, n: c_int) -> c_int;
}

extern "C-unwind" fn back(n: c_int) -> c_int {
    if n % 3 == 0 {
        std::panic::panic_any(n);
    }
    unsafe { native_text(c"below".as_ptr()) + native_work(n) }
}

extern "C-unwind" fn nested(n: c_int) -> c_int {
    (0..20).into_par_iter().map(|i| one(i + n)).sum()
}

fn one(n: c_int) -> c_int {
    match std::panic::catch_unwind(|| unsafe { native_call(back, n) }) {
        Ok(got) => got,
        Err(what) => *what.downcast::<c_int>().unwrap(),
    }
}

async fn task(n: c_int) -> c_int {
    let mut sum = 0;
    for i in 0..20 {
        sum += one(n + i);
        tokio::task::yield_now().await;
        sum += unsafe { native_work(i) };
    }
    sum + tokio::task::spawn_blocking(move || one(n)).await.unwrap()
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let pool: c_int = (0..5000).into_par_iter().map(one).sum();
    let deep: c_int = (0..50)
        .into_par_iter()
        .map(|n| unsafe { native_call(nested, n) })
        .sum();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let tasks: c_int = runtime.block_on(async {
        let all: Vec<_> = (0..200).map(|n| tokio::spawn(task(n))).collect();
        let mut sum = 0;
        for one in all {
            sum += one.await.unwrap();
        }
        sum
    });
    println!("{pool} {deep} {tasks}");
    std::process::exit(unsafe { native_work(4) });
}
