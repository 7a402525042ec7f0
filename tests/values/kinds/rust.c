// SPDX-License-Identifier: Apache-2.0
// Rust passes numbers, addresses and pairs of words as C does, and records in
// ways of its own: no values of a function that has one, and check says so.
//@ build: /usr/bin/rustc -g -C opt-level=0 -o p r.rs
//@ build: /usr/bin/rustc -g -C opt-level=2 -o p r.rs
//@ manifest: [[span]] large; [[span]] taken; [[span]] made; [[span]] pair; [[span]] text; [[span]] late; [[span]] plain;
//@ expect: all(not one(n)["input"] and not one(n)["output"] for n in ("large", "taken", "made", "pair", "late"))
//@ expect: said.count("Rust passes records in ways of its own") == 5
//@ expect: all(v == {"a": -1, "b": True, "d": 1.5}[k] for k, v in one("text")["input"].items())
//@ expect: one("plain")["input"] == {"a": -5, "d": 4.5, "f": "F::Y"} and one("plain")["output"] == {"return": -105}
//@ file: r.rs
fn keep<T>(x: T) -> T { unsafe { let y = std::ptr::read_volatile(&x); std::mem::forget(x); y } }
#[derive(Clone, Copy)] pub struct Q { a: u8, b: u64, c: u16 }
#[allow(dead_code)] #[derive(Clone, Copy)] #[repr(i8)] pub enum F { X = -3, Y = 100 }
#[allow(dead_code)] pub struct W(f64);
#[no_mangle] #[inline(never)] pub fn large(a: i32, q: Q, d: f32) -> u64 { keep((a, q.a, q.b, q.c, d)); q.b }
#[no_mangle] #[inline(never)] pub fn taken(v: Vec<i32>, s: String, n: i32) -> i32 { keep((v.len(), s.len(), n)); n }
#[no_mangle] #[inline(never)] pub fn made(n: i32) -> Q { keep(n); Q { a: 1, b: n as u64, c: 3 } }
#[no_mangle] #[inline(never)] pub fn pair(p: (u32, u32), w: [u8; 4], n: i32) -> i32 { keep((p, w, n)); n }
#[no_mangle] #[inline(never)] pub fn text<'a>(a: i32, s: &'a str, w: W, b: bool, d: f32) -> &'a str { keep((a, s.len(), w.0, b, d)); s }
#[no_mangle] #[inline(never)] pub fn late(a: i32, b: i32, c: i32, d: i32, e: i32, s: &str, g: i32) -> i32 { keep((a, b, c, d, e, s.len(), g)); a }
#[no_mangle] #[inline(never)] pub extern "C" fn plain(a: i32, d: f64, f: F) -> i64 { keep((a, d, f as i8)); a as i64 - f as i64 }
fn main() {
    let s = keep(String::from("hello"));
    let q = Q { a: 200, b: 1 << 40, c: 60000 };
    keep(large(-5, q, 1.5));
    keep(taken(vec![1, 2], s.clone(), 9));
    let m = made(5);
    keep((m.a, m.b, m.c));
    keep(pair((1, 2), [1, 2, 3, 4], 44));
    keep(text(-1, &s, W(2.5), true, 1.5));
    keep(late(1, 2, 3, 4, 5, &s, 7));
    keep(plain(-5, 4.5, keep(F::Y)));
}
