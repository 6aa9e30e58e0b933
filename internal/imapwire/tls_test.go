package imapwire

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
)

// tlsServer answers on loopback: greeting, STARTTLS, AUTHENTICATE, CAPABILITY.
func tlsServer(t *testing.T, implicit bool, starttls string) (addr string, client *tls.Config) {
	t.Helper()
	h := httptest.NewUnstartedServer(nil) // for its certificate only
	h.StartTLS()
	t.Cleanup(h.Close)
	pool := x509.NewCertPool()
	pool.AddCert(h.Certificate())
	server := &tls.Config{Certificates: h.TLS.Certificates}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if implicit {
					c = tls.Server(c, server)
				}
				io.WriteString(c, "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] clear\r\n")
				r := bufio.NewReader(c)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					tag, cmd, _ := strings.Cut(strings.TrimSpace(line), " ")
					switch cmd {
					case "STARTTLS":
						io.WriteString(c, strings.ReplaceAll(starttls, "TAG", tag))
						if !strings.Contains(starttls, "TAG OK") {
							continue
						}
						c = tls.Server(c, server)
						r = bufio.NewReader(c)
					case "CAPABILITY":
						io.WriteString(c, "* CAPABILITY IMAP4rev1 SECURE AUTH=PLAIN\r\n"+tag+" OK\r\n")
					case "AUTHENTICATE PLAIN":
						io.WriteString(c, "+ \r\n")
						if line, _ := r.ReadString('\n'); line == "dXNlcgBhZG1pbgBwdw==\r\n" {
							io.WriteString(c, tag+" OK [CAPABILITY IMAP4rev1 AFTER] in\r\n")
						} else {
							io.WriteString(c, tag+" NO [AUTHENTICATIONFAILED] no\r\n")
						}
					}
				}
			}()
		}
	}()
	return l.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "example.com"}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	for _, mode := range []TLSMode{StartTLS, ImplicitTLS} {
		addr, cfg := tlsServer(t, mode == ImplicitTLS, "TAG OK go\r\n")
		c, err := Dial(t.Context(), addr, &Options{TLS: mode, TLSConfig: cfg})
		if err != nil {
			t.Fatal(mode, err)
		}
		if mode == StartTLS && (!c.Has("SECURE") || c.Has("LOGINDISABLED")) {
			t.Errorf("capabilities from before the encryption: %v", c.Capabilities())
		}
		if err := c.AuthPlain(t.Context(), "user", "admin", "wrong"); !IsCode(err, "AUTHENTICATIONFAILED") ||
			strings.Contains(err.Error(), "wrong") {
			t.Errorf("wrong password: %v", err)
		}
		if err := c.AuthPlain(t.Context(), "user", "admin", "pw"); err != nil || !c.Has("AFTER") {
			t.Errorf("%v %v", err, c.Capabilities())
		}
		c.Close()
		// A certificate nobody vouches for ends the connection.
		if c, err := Dial(t.Context(), addr, &Options{TLS: mode}); err == nil {
			c.Close()
			t.Errorf("mode %v: connected without a known certificate", mode)
		}
	}
}

func TestStartTLSRefused(t *testing.T) {
	t.Parallel()
	addr, cfg := tlsServer(t, false, "TAG NO not today\r\n")
	if _, err := Dial(t.Context(), addr, &Options{TLSConfig: cfg}); err == nil {
		t.Error("went on in clear text")
	}
	// Commands that somebody put behind the answer must not count.
	addr, cfg = tlsServer(t, false, "TAG OK go\r\n* CAPABILITY INJECTED\r\n")
	if _, err := Dial(t.Context(), addr, &Options{TLSConfig: cfg}); !errors.Is(err, ErrConnection) {
		t.Errorf("injected: %v", err)
	}
}
