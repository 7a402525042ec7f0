// SPDX-License-Identifier: Apache-2.0
/*
 * The native part of the programs of runtimes.py: handlers that compute, read a
 * text and call back into the runtime that called them.
 */
#ifdef WITH_JAVA
#include <jni.h>
#endif
#include <string.h>

int native_work(int n);
int native_text(const char *text);
int native_call(int (*fn)(int), int n);

__attribute__((noinline)) int native_work(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

__attribute__((noinline)) int native_text(const char *text)
{
    return (int)strlen(text);
}

__attribute__((noinline)) int native_call(int (*fn)(int), int n)
{
    int got = fn(n);
    __asm__ volatile("" : "+r"(got));
    return native_work(got);
}

#ifdef WITH_JAVA
JNIEXPORT jint JNICALL Java_Main_work(JNIEnv *env, jclass of, jint n)
{
    (void)env;
    (void)of;
    return native_work(n);
}

/* fn.applyAsInt(n) + 1, in a frame of ours. */
JNIEXPORT jint JNICALL Java_Main_call(JNIEnv *env, jclass of, jobject fn,
                                      jint n)
{
    (void)of;
    jclass type = (*env)->GetObjectClass(env, fn);
    jmethodID id = (*env)->GetMethodID(env, type, "applyAsInt", "(I)I");
    jint got = (*env)->CallIntMethod(env, fn, id, n);
    return (*env)->ExceptionCheck(env) ? -1 : native_work(got);
}

JNIEXPORT jint JNICALL Java_Main_text(JNIEnv *env, jclass of, jstring text)
{
    (void)of;
    const char *bytes = (*env)->GetStringUTFChars(env, text, NULL);
    jint got = native_text(bytes);
    (*env)->ReleaseStringUTFChars(env, text, bytes);
    return got;
}

JNIEXPORT jint JNICALL Java_Main_fail(JNIEnv *env, jclass of, jint n)
{
    (void)of;
    (*env)->ThrowNew(
        env, (*env)->FindClass(env, "java/lang/IllegalStateException"), "no");
    return native_work(n);
}
#endif
