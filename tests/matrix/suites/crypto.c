/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcrypto: known answers of digests, ciphers and numbers; keys of each kind
 * that sign, seal and agree; certificates, PKCS#12 and CMS. Prints nothing that
 * is random.
 */
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int holds, const char *what)
{
    if (holds)
        return;
    printf("wrong: %s\n", what);
    ERR_print_errors_fp(stdout);
    exit(1);
}

static void show(const char *what, const unsigned char *bytes, size_t len)
{
    printf("%s ", what);
    for (size_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

static unsigned char text[100003];

static void digests(void)
{
    static const char *const names[] = {
        "MD5",    "SHA1",       "SHA224",     "SHA256",   "SHA384",
        "SHA512", "SHA512-256", "SHA3-256",   "SHA3-512", "SHAKE128",
        "SM3",    "BLAKE2s256", "BLAKE2b512", "RIPEMD160"};
    unsigned char out[64];
    unsigned len;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        EVP_MD *md = EVP_MD_fetch(NULL, names[i], NULL);
        if (!md)
            continue;
        check(EVP_Digest(text, sizeof text, out, &len, md, NULL), names[i]);
        show(names[i], out, len);
        EVP_MD_free(md);
    }
    check(EVP_Digest("abc", 3, out, &len, EVP_sha256(), NULL) &&
              memcmp(out, "\xba\x78\x16\xbf\x8f\x01\xcf\xea", 8) == 0,
          "SHA-256 of abc");
    size_t n = sizeof out;
    check(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, "key", 3, text, 1000,
                    out, sizeof out, &n) != NULL,
          "HMAC");
    show("HMAC", out, n);
    check(EVP_Q_mac(NULL, "POLY1305", NULL, NULL, NULL, text, 32, text, 1000,
                    out, sizeof out, &n) != NULL,
          "Poly1305");
    show("Poly1305", out, n);
    check(PKCS5_PBKDF2_HMAC("pass", 4, text, 8, 500, EVP_sha512(), 48, out),
          "PBKDF2");
    show("PBKDF2", out, 48);
    check(EVP_PBE_scrypt("pass", 4, text, 8, 64, 8, 1, 1 << 20, out, 32),
          "scrypt");
    show("scrypt", out, 32);
}

static void one_cipher(const char *name)
{
    static unsigned char sealed[sizeof text + 64], open[sizeof text + 64];
    unsigned char tag[16] = {0}, sum[32];
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len, more, back, plain = sizeof text;
    if (!cipher) {
        EVP_CIPHER_CTX_free(c);
        return;
    }
    int aead = (EVP_CIPHER_get_flags(cipher) & EVP_CIPH_FLAG_AEAD_CIPHER) != 0;
    check(EVP_EncryptInit_ex2(c, cipher, text, text + 64, NULL), name);
    if (aead)
        check(EVP_EncryptUpdate(c, NULL, &len, text, 33), name);
    check(EVP_EncryptUpdate(c, sealed, &len, text, plain), name);
    check(EVP_EncryptFinal_ex(c, sealed + len, &more), name);
    if (aead)
        check(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, tag), name);
    len += more;
    EVP_Digest(sealed, (size_t)len, sum, NULL, EVP_sha256(), NULL);
    printf("%d of ", len);
    show(name, sum, 8);
    check(EVP_DecryptInit_ex2(c, cipher, text, text + 64, NULL), name);
    if (aead) {
        check(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, tag), name);
        check(EVP_DecryptUpdate(c, NULL, &more, text, 33), name);
    }
    check(EVP_DecryptUpdate(c, open, &back, sealed, len), name);
    check(EVP_DecryptFinal_ex(c, open + back, &more), name);
    check(back + more == plain && memcmp(open, text, sizeof text) == 0, name);
    EVP_CIPHER_CTX_free(c);
    EVP_CIPHER_free(cipher);
}

static void ciphers(void)
{
    static const char *const names[] = {
        "AES-128-ECB",       "AES-128-CBC",      "AES-256-CBC",  "AES-192-CTR",
        "AES-128-CFB",       "AES-256-OFB",      "AES-128-GCM",  "AES-256-GCM",
        "AES-128-XTS",       "AES-128-OCB",      "CHACHA20",     "DES-EDE3-CBC",
        "CHACHA20-POLY1305", "CAMELLIA-256-CBC", "ARIA-128-GCM", "SM4-CBC"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        one_cipher(names[i]);
}

static void numbers(void)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p = NULL, *a = BN_new(), *b = BN_new(), *r = BN_new();
    BN_CTX_start(ctx);
    BN_set_word(a, 1);
    BN_lshift(a, a, 521);
    p = BN_dup(a);
    BN_sub_word(p, 1);
    check(BN_check_prime(p, ctx, NULL) == 1, "2^521 - 1");
    BN_bin2bn(text, 60, a);
    check(BN_mod_inverse(b, a, p, ctx) && BN_mod_mul(r, a, b, p, ctx) &&
              BN_is_one(r),
          "a / a");
    BN_sub(b, p, BN_value_one());
    check(BN_mod_exp(r, a, b, p, ctx) && BN_is_one(r), "Fermat");
    check(BN_mod_sqr(b, a, p, ctx) && BN_mod_sqrt(r, b, p, ctx) &&
              BN_mod_sqr(r, r, p, ctx) && BN_cmp(b, r) == 0,
          "sqrt");
    BN_bin2bn(text, 5000, a);
    BN_bin2bn(text + 77, 2311, b);
    BN_div(p, r, a, b, ctx);
    char *decimal = BN_bn2dec(r);
    printf("remainder %.40s...\n", decimal);
    OPENSSL_free(decimal);
    BN_mul(p, p, b, ctx);
    BN_add(p, p, r);
    check(BN_cmp(p, a) == 0, "a = q b + r");
    BN_CTX_end(ctx);
    BN_free(p);
    BN_free(a);
    BN_free(b);
    BN_free(r);
    BN_CTX_free(ctx);
}

static void sign(EVP_PKEY *key, const char *digest, const char *name)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    unsigned char signature[1024];
    size_t len = sizeof signature;
    check(EVP_DigestSignInit_ex(c, NULL, digest, NULL, NULL, key, NULL) &&
              EVP_DigestSign(c, signature, &len, text, 5000),
          name);
    EVP_MD_CTX_reset(c);
    check(EVP_DigestVerifyInit_ex(c, NULL, digest, NULL, NULL, key, NULL) &&
              EVP_DigestVerify(c, signature, len, text, 5000) == 1,
          name);
    EVP_MD_CTX_reset(c);
    check(EVP_DigestVerifyInit_ex(c, NULL, digest, NULL, NULL, key, NULL) &&
              EVP_DigestVerify(c, signature, len, text, 5001) != 1,
          name);
    ERR_clear_error();
    EVP_MD_CTX_free(c);
    printf("%s signs with %d bits\n", name, EVP_PKEY_get_bits(key));
}

static void agree(const char *kind, const char *curve)
{
    EVP_PKEY *a = EVP_PKEY_Q_keygen(NULL, NULL, kind, curve);
    EVP_PKEY *b = EVP_PKEY_Q_keygen(NULL, NULL, kind, curve);
    unsigned char one[128], two[128];
    size_t n = sizeof one, m = sizeof two;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(a, NULL), *d = EVP_PKEY_CTX_new(b, NULL);
    check(EVP_PKEY_derive_init(c) > 0 && EVP_PKEY_derive_set_peer(c, b) > 0 &&
              EVP_PKEY_derive(c, one, &n) > 0,
          curve);
    check(EVP_PKEY_derive_init(d) > 0 && EVP_PKEY_derive_set_peer(d, a) > 0 &&
              EVP_PKEY_derive(d, two, &m) > 0,
          curve);
    check(n == m && memcmp(one, two, n) == 0, curve);
    printf("%s: %zu bytes agreed\n", curve, n);
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_CTX_free(d);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
}

/* By way of PEM under a password. */
static EVP_PKEY *through_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    check(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), NULL, 0,
                                        NULL, (void *)"secret"),
          "PEM");
    check(!PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"wrong"),
          "the wrong password");
    ERR_clear_error();
    BIO_free(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), NULL, 0, NULL,
                                  (void *)"secret");
    EVP_PKEY *back = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"secret");
    check(back && EVP_PKEY_eq(back, key) == 1, "PEM");
    BIO_free(bio);
    EVP_PKEY_free(key);
    return back;
}

static X509 *certify(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 14);
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), -10);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               (const unsigned char *)"case.example", -1, -1,
                               0);
    X509_set_issuer_name(x, name);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                                            "DNS:*.case.example,IP:127.0.0.1");
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    check(X509_sign(x, key, EVP_sha256()) > 0, "X509_sign");
    check(X509_verify(x, key) == 1, "X509_verify");
    check(X509_check_host(x, "www.case.example", 0, 0, NULL) == 1 &&
              X509_check_host(x, "example", 0, 0, NULL) == 0,
          "host");
    return x;
}

static void trust(X509 *x)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    check(X509_STORE_CTX_init(c, store, x, NULL) && X509_verify_cert(c) == 0,
          "nobody trusts it");
    printf("%s\n", X509_verify_cert_error_string(X509_STORE_CTX_get_error(c)));
    X509_STORE_CTX_cleanup(c);
    X509_STORE_add_cert(store, x);
    check(X509_STORE_CTX_init(c, store, x, NULL) && X509_verify_cert(c) == 1,
          "trusted");
    X509_STORE_CTX_free(c);
    X509_STORE_free(store);
}

static void envelopes(EVP_PKEY *key, X509 *x)
{
    BIO *in = BIO_new_mem_buf(text, 3000), *out = BIO_new(BIO_s_mem());
    STACK_OF(X509) *to = sk_X509_new_null();
    char *bytes;
    sk_X509_push(to, x);
    CMS_ContentInfo *cms = CMS_encrypt(to, in, EVP_aes_128_cbc(), CMS_BINARY);
    check(cms && CMS_decrypt(cms, key, x, NULL, out, 0) == 1, "CMS");
    check(BIO_get_mem_data(out, &bytes) == 3000 &&
              memcmp(bytes, text, 3000) == 0,
          "CMS");
    CMS_ContentInfo_free(cms);
    PKCS12 *p = PKCS12_create("pass", "mine", key, x, NULL, 0, 0, 0, 0, 0);
    EVP_PKEY *same = NULL;
    X509 *y = NULL;
    check(p && PKCS12_parse(p, "pass", &same, &y, NULL) == 1 &&
              X509_cmp(x, y) == 0 && EVP_PKEY_eq(key, same) == 1,
          "PKCS12");
    PKCS12_free(p);
    EVP_PKEY_free(same);
    X509_free(y);
    sk_X509_free(to);
    BIO_free(in);
    BIO_free(out);
}

int main(void)
{
    unsigned char some[32];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * i >> 3 ^ i);
    digests();
    ciphers();
    numbers();
    check(RAND_bytes(some, sizeof some) == 1, "random bytes");
    EVP_PKEY *ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_PKEY *curve = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp384r1");
    EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    sign(ec, "SHA256", "P-256");
    sign(curve, "SHA384", "P-384");
    sign(ed, NULL, "Ed25519");
    rsa = through_pem(rsa);
    sign(rsa, "SHA512", "RSA");
    agree("EC", "P-521");
    agree("EC", "brainpoolP256r1");
    agree("X25519", "X25519");
    agree("X448", "X448");
    X509 *x = certify(rsa);
    trust(x);
    envelopes(rsa, x);
    X509_free(x);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(curve);
    EVP_PKEY_free(ed);
    return 0;
}
