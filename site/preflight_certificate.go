package site

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/ictmedia/schoolmail"
)

// certificateDays is from how many days before its end a certificate is told.
const certificateDays = 14

// certificateWatch looks at the certificates of one server.
type certificateWatch struct {
	f                    *preflight
	server, section, key string
}

func (f *preflight) watch(server, section, key string) certificateWatch {
	return certificateWatch{f, server, section, key}
}

// config is a configuration that verifies as the given one does and looks at the
// certificate.
func (w certificateWatch) config(c *tls.Config) *tls.Config {
	c = c.Clone()
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c.VerifyConnection = func(s tls.ConnectionState) error { w.see(s); return nil }
	return c
}

// named is config with the name of the server, "host:port", unless one is set.
func (w certificateWatch) named(c *tls.Config, addr string) *tls.Config {
	c = w.config(c)
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(addr)
	}
	return c
}

// client is an HTTP client like the given one whose connections are looked at.
func (w certificateWatch) client(c *http.Client, config *tls.Config) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy, t.TLSClientConfig = nil, config
	if c != nil && c.Transport != nil {
		own, ok := c.Transport.(*http.Transport)
		if !ok {
			return c // nothing is known of its connections
		}
		t = own.Clone()
		t.TLSClientConfig = w.config(t.TLSClientConfig)
	} else if config == nil {
		t.TLSClientConfig = w.config(nil)
	}
	return &http.Client{Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// visit asks an HTTP server for nothing but an answer.
func (w certificateWatch) visit(ctx context.Context, address string, config *tls.Config) {
	w.visitWith(ctx, address, w.client(nil, config))
}

func (w certificateWatch) visitWith(ctx context.Context, address string, c *http.Client) {
	defer c.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err == nil {
		var resp *http.Response
		if resp, err = c.Do(req); err == nil {
			resp.Body.Close()
		}
	}
	if err != nil {
		w.f.failed(ctx, w.server, w.section, w.key, withoutAddress(err))
	}
}

// withoutAddress leaves out the address, which the problem names anyway.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// see tells of a certificate that ends soon: of the chains that verify it the one
// that lasts longest counts.
func (w certificateWatch) see(s tls.ConnectionState) {
	var end time.Time
	for _, chain := range s.VerifiedChains {
		if e := endOf(chain); e.After(end) {
			end = e
		}
	}
	left := time.Until(end)
	if end.IsZero() || left >= certificateDays*24*time.Hour {
		return
	}
	w.f.say(Problem{Server: w.server, Key: "[" + w.section + "] " + w.key, Warning: true,
		Missing: fmt.Sprintf("the certificate is valid until %s only, %d days", schoolmail.DateOf(end),
			int(left/(24*time.Hour)))})
}

// endOf returns when the first certificate of a chain ends.
func endOf(chain []*x509.Certificate) time.Time {
	var end time.Time
	for _, c := range chain {
		if end.IsZero() || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

// blamesCertificate reports whether a certificate was refused, and the key to blame if
// that is not the address.
func blamesCertificate(err error) (key string, ok bool) {
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		return "ca_file", true
	}
	_, ok = errors.AsType[x509.CertificateInvalidError](err)
	return "", ok
}
