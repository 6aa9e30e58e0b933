package site_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// secured serves over TLS with a certificate that ends after a time, and returns the
// address and a configuration that trusts it.
func secured(t *testing.T, h http.Handler, left time.Duration) (url string, trust *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "preflight"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(left),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	trust = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	trust.RootCAs.AddCert(leaf)
	return s.URL, trust
}

// away is the address of a server that is not there.
func away(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// withoutCopies is Open-Xchange without the service that copies users.
func withoutCopies(t *testing.T, sb *sitetest.Sandbox) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "OXUserCopyService") {
			http.NotFound(w, r)
			return
		}
		sb.OX.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/webservices"
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	sb, err := sitetest.Start(sitetest.WithPeople(20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := sb.SMTP.Count(); n > 0 {
			t.Errorf("%d mails were sent", n)
		}
		sb.Close()
	})
	if err := sb.CreateContexts(); err != nil {
		t.Fatal(err)
	}
	all := []string{"user", "auth cache flush", "kick", "mailbox list", "mailbox status", "quota get", "mailbox create",
		"mailbox subscribe", "mailbox path", "mailbox unsubscribe", "expunge", "mailbox delete"}
	// doveadm is a mail server of its own, over TLS.
	doveadm := func(left time.Duration, allowed ...string) func(*testing.T, *site.Settings) {
		return func(t *testing.T, set *site.Settings) {
			s := dovecottest.New(dovecottest.WithAPIKey(sitetest.DoveadmKey), dovecottest.WithAllowedCommands(allowed...),
				dovecottest.WithSieve())
			t.Cleanup(func() { s.Close() })
			set.DoveadmURL, set.Doveadm.TLS = secured(t, s, left)
		}
	}
	const month = 30 * 24 * time.Hour
	cases := []struct {
		name  string
		spoil func(*testing.T, *site.Settings)
		key   string // "": nothing is missing
		says  string
		warns bool
	}{
		{"all is well", func(*testing.T, *site.Settings) {}, "", "", false},
		{"all commands", doveadm(month, all...), "", "", false},
		{"password of the directory", func(_ *testing.T, set *site.Settings) { set.Directory.Password = "wrong" },
			"[directory] password", "invalid credentials", false},
		{"base of the directory", func(_ *testing.T, set *site.Settings) { set.Directory.BaseDN = "dc=other,dc=example" },
			"[directory] base_dn", "", false},
		{"directory away", func(t *testing.T, set *site.Settings) { set.DirectoryURL = "ldap://" + away(t) },
			"[directory] url", "refused", false},
		{"master", func(_ *testing.T, set *site.Settings) { set.OXMaster.Password = "wrong" },
			"[ox] master_password", "", false},
		{"administrator", func(_ *testing.T, set *site.Settings) {
			set.OXAdmins = map[schoolmail.ContextID]ox.Credentials{}
			for _, c := range sb.Policy.Contexts {
				set.OXAdmins[c.ID] = ox.Credentials{Login: sitetest.AdminLogin(c.ID), Password: sitetest.AdminPassword(c.ID)}
			}
			set.OXAdmins[21] = ox.Credentials{Login: sitetest.AdminLogin(21), Password: "wrong"}
		}, "[context id = 21] admin_password", "", false},
		{"copies", func(t *testing.T, set *site.Settings) { set.OXEndpoints = []string{withoutCopies(t, sb)} },
			"[ox] soap_urls", "OXUserCopyService", false},
		{"access", func(_ *testing.T, set *site.Settings) {
			set.Policy.Populations = append([]schoolmail.Population{}, set.Policy.Populations...)
			set.Policy.Populations[1].Access = "pimm"
		}, "[population secondary] access", `"pimm" is no access combination`, true},
		{"key of doveadm", func(_ *testing.T, set *site.Settings) { set.Doveadm.APIKey = "wrong" },
			"[mail] api_key", "", false},
		{"all commands, Sieve", func(t *testing.T, set *site.Settings) {
			doveadm(month, append(all[:len(all):len(all)], "sieve list", "sieve get", "sieve put", "sieve activate",
				"sieve delete")...)(t, set)
			set.AtEnd = []site.AtEnd{{What: site.AtEndAnswer, Days: 90}}
		}, "", "", false},
		{"commands of Sieve", func(t *testing.T, set *site.Settings) {
			doveadm(month, all...)(t, set)
			set.AtEnd = []site.AtEnd{{What: site.AtEndAnswer, Days: 90}}
		}, "[mail] doveadm_url", "refuses sieve activate, sieve delete, sieve get, sieve list, sieve put:", false},
		{"commands", doveadm(month, all[:6]...), "[mail] doveadm_url",
			"refuses expunge, mailbox create, mailbox delete, mailbox path, mailbox subscribe, " +
				"mailbox unsubscribe:", false},
		{"certificate of five days", doveadm(5*24*time.Hour+time.Hour, all...), "[mail] doveadm_url", "5 days", true},
		{"certificate of a bit over 14 days", doveadm(14*24*time.Hour+time.Hour, all...), "", "", false},
		{"certificate that has ended", doveadm(-time.Hour, all...), "[mail] doveadm_url", "expired", false},
		{"authority", func(t *testing.T, set *site.Settings) {
			doveadm(month, all...)(t, set)
			set.Doveadm.TLS = nil
		}, "[mail] ca_file", "unknown authority", false},
		{"relay away", func(t *testing.T, set *site.Settings) { set.SMTPAddr = away(t) },
			"[notices] addr", "refused", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			set := sb.Settings()
			c.spoil(t, set)
			got := set.Preflight(t.Context(), nil, nil)
			if c.key == "" {
				if len(got) > 0 {
					t.Errorf("missing: %v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Key != c.key || !strings.Contains(got[0].Missing, c.says) || got[0].Warning != c.warns {
				t.Errorf("%v, want one with %s, %q", got, c.key, c.says)
			}
		})
	}
}

// All that is missing is told at once, before a plan is carried out, and nothing is
// written; what the plan does not need is not asked for.
func TestPreflightOfARun(t *testing.T) {
	t.Parallel()
	sb, err := sitetest.Start(sitetest.WithPeople(20))
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	day := sb.District.Today()
	set := sb.Settings()
	s, err := site.Open(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := func() ([]*site.Act, error) {
		return s.Run(t.Context(), &site.RunOptions{Day: day, Apply: true, Preflight: true})
	}
	// Nobody is told anything on the first day: the relay is not asked.
	relay, doveadm := set.SMTPAddr, set.DoveadmURL
	set.SMTPAddr, set.DoveadmURL, set.OXMaster.Password = away(t), "http://"+away(t), "wrong"
	_, err = run()
	missing, ok := errors.AsType[*site.PreflightError](err)
	if !ok || len(missing.Problems) != 2 || missing.Problems[0].Key != "[ox] master_password" ||
		missing.Problems[1].Key != "[mail] doveadm_url" {
		t.Fatalf("%v", err)
	}
	for _, c := range sb.Policy.Contexts {
		if len(sb.OX.State().Users(c.ID)) > 0 {
			t.Errorf("context %d was made", c.ID)
		}
	}
	set.DoveadmURL, set.OXMaster.Password = doveadm, sitetest.MasterPassword
	acts, err := run()
	if err != nil || acts[0].Err != nil || acts[0].Created() != 20 {
		t.Fatalf("%v %v", acts, err)
	}
	set.SMTPAddr = relay
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Where user names may change and Open-Xchange changes none, -check warns of it, with the
// key that allows it; where it does, or none may change, there is nothing to say.
func TestPreflightOfNewLoginNames(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options []sitetest.Option
		change  bool
		warned  bool
	}{
		"as shipped":       {change: true, warned: true},
		"set up for it":    {change: true, options: []sitetest.Option{sitetest.WithNewLoginNames()}},
		"no names changed": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := married(t, tc.options...)
			m.set.Policy.Naming.ChangeUsernames = tc.change
			before := placesOf(m.world(t, m.day), "ottilie.zumthor", "balthasar.quirin", "ottilie.yersin")
			got := m.set.Preflight(t.Context(), nil, nil)
			switch {
			case tc.warned && (len(got) != 1 || !got[0].Warning || got[0].Key != "[naming] change_usernames" ||
				!strings.Contains(got[0].Missing, "USERNAME_CHANGEABLE=true") ||
				got[0].Server != "Open-Xchange "+m.set.OXEndpoints[0]):
				t.Errorf("missing: %v", got)
			case !tc.warned && len(got) > 0:
				t.Errorf("warned of %v", got)
			}
			after := placesOf(m.world(t, m.day), "ottilie.zumthor", "balthasar.quirin", "ottilie.yersin")
			if d := cmp.Diff(before, after); d != "" || len(before) != 3 {
				t.Errorf("asking has changed somebody (-before +after):\n%s", d)
			}
		})
	}
}

// A real Dovecot says in the same way which commands it refuses.
func TestPreflightOfRealDovecot(t *testing.T) {
	t.Parallel()
	imap := dovecotd.Start(t, &dovecotd.Config{AllowedCommands: []string{"user", "auth cache flush", "kick",
		"mailbox list", "mailbox status", "quota get", "mailbox create", "mailbox path", "expunge", "mailbox delete"}})
	sb, err := sitetest.Start(sitetest.WithPeople(20))
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	set := sb.Settings()
	set.DoveadmURL, set.Doveadm.APIKey = imap.URL, schoolmail.Secret(imap.APIKey)
	got := set.Preflight(t.Context(), nil, nil)
	if len(got) != 1 || !strings.Contains(got[0].Missing, "refuses mailbox subscribe, mailbox unsubscribe:") {
		t.Errorf("missing: %v", got)
	}
}

// Where accounts are written by UDM it must take the log-in, too.
func TestPreflightOfUDM(t *testing.T) {
	t.Parallel()
	sb, err := sitetest.Start(sitetest.WithPeople(20))
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	server, err := ucstest.StartUDM(sb.LDAP.URL, sb.LDAP.BindDN, sb.LDAP.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, c := range []struct {
		password schoolmail.Secret
		key      string // "": nothing is missing
	}{{server.Password, ""}, {"wrong", "[directory] udm_password"}} {
		set := sb.Settings()
		set.Directory.Write, set.UDMURL = ucs.WriteAuto, server.URL
		if set.Directory.UDM, err = udm.New(server.URL, server.User, c.password, nil); err != nil {
			t.Fatal(err)
		}
		got := set.Preflight(t.Context(), nil, nil)
		if c.key == "" && len(got) > 0 || c.key != "" && (len(got) != 1 || got[0].Key != c.key) {
			t.Errorf("missing: %v, want %q", got, c.key)
		}
	}
}
