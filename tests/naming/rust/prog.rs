// SPDX-License-Identifier: Apache-2.0
// Functions, methods, trait methods and instances of generics.
struct Loader {
    base: u32,
}
trait Stage {
    fn run(&self, n: u32) -> u32;
}
impl Loader {
    #[inline(never)]
    fn scale(&self, n: u32) -> u32 {
        std::hint::black_box(self.base * n)
    }
}
impl Stage for Loader {
    #[inline(never)]
    fn run(&self, n: u32) -> u32 {
        std::hint::black_box(self.base + n)
    }
}
mod etl {
    #[inline(never)]
    pub fn load(n: u32) -> u32 {
        std::hint::black_box(n + 1)
    }
    #[inline(never)]
    pub fn twice<T: std::ops::Add<Output = T> + Copy>(n: T) -> T {
        std::hint::black_box(n + n)
    }
}
fn main() {
    let loader = Loader { base: 10 };
    let mut sum = 0u64;
    for i in 0..3u32 {
        sum += etl::load(i) as u64 + loader.scale(i) as u64;
        sum += loader.run(i) as u64 + etl::twice(i) as u64;
        sum += etl::twice(i as u64);
    }
    println!("{}", sum);
}
