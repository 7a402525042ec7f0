// SPDX-License-Identifier: Apache-2.0
#[no_mangle]
#[inline(never)]
pub fn stage(n: i32) -> i32 {
    if n == 7 {
        panic!("row {} has no customer", n);
    }
    n + 1
}
fn main() {
    let mut s = 0;
    for i in 0..10 {
        s += stage(i);
    }
    println!("{s}");
}
