// SPDX-License-Identifier: GPL-2.0-only
/* The files of --tls-*. Their default places are those of 4.2. */
#include "transport/tls_credentials.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"

#define DEFAULT_CACERT "/etc/pki/CA/cacert.pem"
#define DEFAULT_CACRL "/etc/pki/CA/cacrl.pem"
#define DEFAULT_CERT "/etc/pki/criu/cert.pem"
#define DEFAULT_KEY "/etc/pki/criu/private/key.pem"

/* The library does not say which file it is about. */
static int check_file(const char *option, const char *path)
{
	return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0 ? fail(-errno, "%s %s", option, path) : 0;
}

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0;
}

static int trust_file(const struct tls_calls *tls, gnutls_certificate_credentials_t to, const char *path)
{
	int n, err = check_file("--tls-cacert", path);

	if (err)
		return err;
	n = tls->certificate_set_x509_trust_file(to, path, GNUTLS_X509_FMT_PEM);
	if (n <= 0)
		return fail(-EINVAL, "--tls-cacert %s: %s", path, n ? tls->strerror(n) : "no certificate in it");
	return 0;
}

/* The given CA alone; otherwise those of the system, and the one in the default place. */
static int load_trust(const struct tls_calls *tls, const struct options *opts, gnutls_certificate_credentials_t to)
{
	int n;

	if (opts->tls_cacert)
		return trust_file(tls, to, opts->tls_cacert);
	n = tls->certificate_set_x509_system_trust(to);
	if (exists(DEFAULT_CACERT))
		return trust_file(tls, to, DEFAULT_CACERT);
	return n > 0 ? 0 :
		       fail(-ENOENT,
			    "--tls: no CA is trusted: neither is there %s, nor has the system any; give --tls-cacert",
			    DEFAULT_CACERT);
}

static int load_revoked(const struct tls_calls *tls, const struct options *opts, gnutls_certificate_credentials_t to)
{
	const char *path = opts->tls_cacrl ? opts->tls_cacrl : DEFAULT_CACRL;
	int n, err;

	if (!opts->tls_cacrl && !exists(path))
		return 0;
	err = check_file("--tls-cacrl", path);
	if (err)
		return err;
	n = tls->certificate_set_x509_crl_file(to, path, GNUTLS_X509_FMT_PEM);
	return n < 0 ? fail(-EINVAL, "--tls-cacrl %s: %s", path, tls->strerror(n)) : 0;
}

static int load_own(const struct tls_calls *tls, const struct options *opts, gnutls_certificate_credentials_t to)
{
	const char *cert = opts->tls_cert ? opts->tls_cert : DEFAULT_CERT;
	const char *key = opts->tls_key ? opts->tls_key : DEFAULT_KEY;
	int n, err = check_file("--tls-cert", cert);

	if (!err)
		err = check_file("--tls-key", key);
	if (err)
		return err;
	n = tls->certificate_set_x509_key_file(to, cert, key, GNUTLS_X509_FMT_PEM);
	return n < 0 ? fail(-EINVAL, "--tls-cert %s, --tls-key %s: %s", cert, key, tls->strerror(n)) : 0;
}

int tls_credentials_load(const struct tls_calls *tls, const struct options *opts, gnutls_certificate_credentials_t *ret)
{
	gnutls_certificate_credentials_t credentials;
	int err;

	if (tls->certificate_allocate_credentials(&credentials) < 0)
		return fail(-ENOMEM, "--tls");
	err = load_trust(tls, opts, credentials);
	if (!err)
		err = load_revoked(tls, opts, credentials);
	if (!err)
		err = load_own(tls, opts, credentials);
	if (err)
		tls->certificate_free_credentials(credentials);
	else
		*ret = credentials;
	return err;
}
