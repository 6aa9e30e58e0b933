// Package slapd starts a throwaway OpenLDAP server on loopback, set up like
// the one of a UCS primary, so that tests can run against the real thing
// beside the directory of package ucstest.
//
// The instance lives in a temporary directory: its own slapd.conf, an mdb
// database, a certificate, ephemeral ports for ldap and ldaps. It loads
// OpenLDAP's core, cosine, nis and inetorgperson schemas and this project's
// schema file for UCS, and the overlays memberof, refint, unique and
// constraint as UCS configures them. Nothing of the system's configuration is
// used.
//
// The program comes with Debian's package slapd. [Start] skips the test when
// it is missing, or fails it when the environment variable
// SCHOOLMAIL_REQUIRE_SERVERS is 1.
package slapd

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/internal/ownserver"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// ErrNotInstalled is returned by [Run] when slapd is missing.
var ErrNotInstalled = errors.New("slapd: slapd is not installed (Debian package slapd)")

// Config of an instance. The zero value works.
type Config struct {
	// BaseDN is the suffix; empty: dc=schulen,dc=example.
	BaseDN string
	// SchemaDir, if set, holds the vendors' schema files, which are loaded
	// instead of this project's: a check that ours is faithful.
	SchemaDir string
	// Entries are put into the database before the server starts, parents first,
	// by slapadd: fast, but no overlay sees them, so that nobody has memberOf.
	Entries []ucstest.Entry
	// Access are access directives of slapd.conf that come before those of a UCS
	// primary.
	Access string
}

// Server is a running instance.
type Server struct {
	// Dir holds everything of the instance.
	Dir            string
	URL, LDAPSURL  string
	BaseDN, BindDN string
	Password       schoolmail.Secret

	pool *x509.CertPool
	cmd  *exec.Cmd
	out  *bytes.Buffer
	done chan struct{}
}

// Start starts an instance for the length of the test. Without a config the
// environment variable SCHOOLMAIL_UCS_SCHEMA may name a directory with the
// vendors' schema files (see Config.SchemaDir).
func Start(tb testing.TB, cfg *Config) *Server {
	tb.Helper()
	if cfg == nil {
		cfg = &Config{SchemaDir: os.Getenv("SCHOOLMAIL_UCS_SCHEMA")}
	}
	s, err := Run(tb.TempDir(), cfg)
	if errors.Is(err, ErrNotInstalled) {
		lacking.Skip(tb, err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Stop()
		if tb.Failed() && s.out.Len() > 0 {
			tb.Logf("output of slapd:\n%s", s.out)
		}
	})
	return s
}

// Run starts an instance in an empty directory.
func Run(dir string, cfg *Config) (*Server, error) {
	bin, err := exec.LookPath("slapd")
	if err != nil {
		if bin = "/usr/sbin/slapd"; !exists(bin) {
			return nil, ErrNotInstalled
		}
	}
	if !exists("/etc/ldap/schema/core.schema") || !exists("/usr/lib/ldap/back_mdb.so") {
		return nil, ErrNotInstalled
	}
	var c Config
	if cfg != nil {
		c = *cfg
	}
	if c.BaseDN == "" {
		c.BaseDN = "dc=schulen,dc=example"
	}
	s := &Server{Dir: dir, BaseDN: c.BaseDN, BindDN: "cn=admin," + c.BaseDN, Password: "univention"}
	if err := s.prepare(c); err != nil {
		return nil, fmt.Errorf("slapd: %w", err)
	}
	for range 5 { // a port may be taken between its choice and its use
		if err = s.launch(bin); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("slapd: %w", err)
}

func exists(f string) bool { _, err := os.Stat(f); return err == nil }

// vendorSchemas is the load order on a UCS primary, as far as accounts,
// groups, OX and UCS@school need it.
var vendorSchemas = strings.Fields(`samba mail user directory policy dnszone univention lock custom-attribute krb5-kdc
	dhcp portal univention-dhcp univention-default license share printer automount network solaris courier
	univention-scalix univention-syntax admin-settings template univention-ldap-acl nagios univention-directory
	univention-objecttype msgpo univention-object-metadata univention-ldap-extension udm-extension univention-data
	blocklist networkaccess self-service-passwordreset oxforucs-extra oxforucs ucs-school-import`)

func (s *Server) prepare(c Config) error {
	if err := os.MkdirAll(filepath.Join(s.Dir, "db"), 0o700); err != nil {
		return err
	}
	var b strings.Builder
	for _, f := range []string{"core", "cosine", "nis", "inetorgperson"} {
		fmt.Fprintf(&b, "include /etc/ldap/schema/%s.schema\n", f)
	}
	if c.SchemaDir != "" {
		for _, f := range vendorSchemas {
			fmt.Fprintf(&b, "include %s\n", filepath.Join(c.SchemaDir, f+".schema"))
		}
	} else {
		f := filepath.Join(s.Dir, "ucs.schema")
		if err := os.WriteFile(f, []byte(ucstest.Schema()), 0o600); err != nil {
			return err
		}
		fmt.Fprintf(&b, "include %s\n", f)
	}
	if err := s.certificate(); err != nil {
		return err
	}
	fmt.Fprintf(&b, config, s.Dir, s.BaseDN, s.BindDN, s.Password.Reveal(), c.Access)
	if err := os.WriteFile(filepath.Join(s.Dir, "slapd.conf"), []byte(b.String()), 0o600); err != nil {
		return err
	}
	return s.slapadd(c.Entries)
}

// slapadd fills the database before the start.
func (s *Server) slapadd(entries []ucstest.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	var b bytes.Buffer
	value := func(name, v string) {
		fmt.Fprintf(&b, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(v)))
	}
	for _, e := range entries {
		value("dn", e.DN)
		for _, a := range e.Attributes {
			for _, v := range a.Values {
				value(a.Name, v)
			}
		}
		b.WriteByte('\n')
	}
	cmd := exec.Command("/usr/sbin/slapadd", "-q", "-f", filepath.Join(s.Dir, "slapd.conf"))
	cmd.Stdin = &b
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("slapadd: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// config follows the templates of UCS 5.2: overlays, limits, access and the
// indexes of univention-ldap and UCS@school. dbnosync spares the disk.
const config = `modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload refint
moduleload unique
moduleload constraint
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
sizelimit 400000
threads 8
attributeoptions entry- lang-
database mdb
suffix "%[2]s"
rootdn "%[3]s"
rootpw %[4]s
directory %[1]s/db
maxsize 2147483648
dbnosync
limits users time.soft=-1 time.hard=-1
%[5]s
access to attrs=userPassword,krb5Key,sambaNTPassword,sambaLMPassword,pwhistory
	by self =xw
	by anonymous auth
	by * none
access to *
	by users read
	by anonymous auth
index objectClass,uidNumber,gidNumber,memberUid,uniqueMember,mailPrimaryAddress,mailAlternativeAddress eq,pres
index uid,cn,sn,givenName,mail eq,pres,sub
index displayName,description,ou eq,pres,sub
index homeDirectory,krb5PrincipalName eq,pres
index univentionObjectType,entryUUID,univentionObjectIdentifier,sambaSID,sambaPrimaryGroupSID,shadowExpire eq
index ucsschoolSchool,ucsschoolSourceUID eq,pres
index ucsschoolRecordUID,ucsschoolRole eq,pres,sub
overlay memberof
memberof-group-oc posixGroup
memberof-member-ad uniqueMember
memberof-memberof-ad memberOf
memberof-dangling ignore
overlay refint
refint_attributes uniqueMember
overlay unique
unique_uri ldap:///%[2]s?univentionObjectIdentifier?sub
overlay constraint
constraint_attribute uidNumber regex ^[^0]+[0-9]*$
constraint_attribute gidNumber regex ^[^0]+[0-9]*$
`

func (s *Server) certificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	tpl := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "slapd"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		return err
	}
	kb, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.pool = x509.NewCertPool()
	s.pool.AppendCertsFromPEM(cert)
	return errors.Join(os.WriteFile(filepath.Join(s.Dir, "cert.pem"), cert, 0o600),
		os.WriteFile(filepath.Join(s.Dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kb}), 0o600))
}

// CertPool holds the authority that signed the server's certificate.
func (s *Server) CertPool() *x509.CertPool { return s.pool }

func (s *Server) launch(bin string) error {
	ports, err := ownserver.FreePorts("127.0.0.1", 2)
	if err != nil {
		return err
	}
	s.URL, s.LDAPSURL = fmt.Sprintf("ldap://127.0.0.1:%d", ports[0]), fmt.Sprintf("ldaps://127.0.0.1:%d", ports[1])
	s.out = new(bytes.Buffer)
	// -d 0 keeps slapd in the foreground and silent.
	s.cmd = exec.Command(bin, "-f", filepath.Join(s.Dir, "slapd.conf"), "-h", s.URL+" "+s.LDAPSURL, "-d", "0")
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	dieWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { s.cmd.Wait(); close(done) }()
	s.done = done
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		if c, err := ldap.DialURL(s.URL); err == nil {
			err = c.Bind(s.BindDN, s.Password.Reveal())
			c.Close()
			if err == nil {
				return nil
			}
		}
		select {
		case <-done:
			return fmt.Errorf("ended while starting: %s", strings.TrimSpace(s.out.String()))
		case <-ctx.Done():
			s.Stop()
			return errors.New("does not answer")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Stop ends the server and waits for it.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	ownserver.End(s.cmd.Process, os.Interrupt, s.done)
	s.cmd = nil
}

// Load adds entries, parents first.
func (s *Server) Load(entries []ucstest.Entry) error {
	c, err := ldap.DialURL(s.URL)
	if err != nil {
		return fmt.Errorf("slapd: %w", err)
	}
	defer c.Close()
	if err := c.Bind(s.BindDN, s.Password.Reveal()); err != nil {
		return fmt.Errorf("slapd: %w", err)
	}
	for _, e := range entries {
		req := ldap.NewAddRequest(e.DN, nil)
		for _, a := range e.Attributes {
			req.Attribute(a.Name, a.Values)
		}
		if err := c.Add(req); err != nil {
			return fmt.Errorf("slapd: add %s: %w", e.DN, err)
		}
	}
	return nil
}
