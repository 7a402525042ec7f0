// SPDX-License-Identifier: Apache-2.0
// Native methods that are handlers: beside the collector, with calls back into
// Java below them, with exceptions and stacks that run over.
import java.util.function.IntUnaryOperator;

class Main {
    static native int work(int n);
    static native int call(IntUnaryOperator fn, int n);
    static native int text(String text);
    static native int fail(int n);

    static Object[] kept = new Object[64];

    static int allocate(int n) {
        Object[] made = new Object[n % 200 + 1];
        for (int i = 0; i < made.length; i++)
            made[i] = new int[n % 50 + i % 7];
        kept[n % kept.length] = made;
        if (n % 997 == 0)
            System.gc();
        return made.length;
    }

    static int deeper(int n) {
        return call(Main::deeper, n + 1) + 1;
    }

    static long run(int rounds) {
        long sum = 0;
        for (int i = 0; i < rounds; i++) {
            sum += work(i) + call(Main::allocate, i) + text("text " + i);
            Object nothing = i % 3 == 0 ? null : kept;
            try {
                sum += fail(i);
            } catch (IllegalStateException e) {
                sum += e.getMessage().length();
            }
            try {
                sum += nothing.hashCode() * 0 + 1;
            } catch (NullPointerException e) {
                sum += 2;
            }
        }
        return sum;
    }

    public static void main(String[] args) throws Exception {
        System.load(args[0]);
        long[] sums = new long[4];
        Thread[] threads = new Thread[sums.length];
        for (int t = 0; t < threads.length; t++) {
            int at = t;
            threads[t] = new Thread(() -> sums[at] = run(4000));
            threads[t].start();
        }
        for (Thread thread : threads)
            thread.join();
        int over = 0;
        for (int i = 0; i < 3; i++)
            try {
                deeper(0);
            } catch (StackOverflowError e) {
                over++;
            }
        System.out.println(sums[0] + " " + sums[1] + " " + sums[2] + " "
                           + sums[3] + " " + over + " " + run(2000));
        System.exit(work(4));
    }
}
