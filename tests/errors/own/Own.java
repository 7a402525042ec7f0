// SPDX-License-Identifier: Apache-2.0
/*
 * A Java VM lives on SIGSEGV: the interpreter meets null references by the
 * fault alone. With an argument it dies of one that is no null reference.
 */
import java.lang.reflect.*;

public class Own {
    static Own next;
    int value;
    static int nulls(int n) {
        int caught = 0;
        for (int i = 0; i < n; i++)
            try {
                Own o = (i & 1) == 0 ? next : null;
                caught += o.value;
            } catch (NullPointerException e) {
                caught++;
            }
        return caught;
    }
    public static void main(String[] a) throws Exception {
        Own.class.getConstructor(String[].class).newInstance((Object) a);
    }
    public Own(String[] a) throws Exception {
        System.out.println(nulls(200000));
        if (a.length > 0) {
            Field f = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
            f.setAccessible(true);
            ((sun.misc.Unsafe) f.get(null)).putInt(16L, 1);
        }
    }
}
