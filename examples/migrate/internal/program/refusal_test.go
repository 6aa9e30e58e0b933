package program

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// A wrong admin password is tried for a few of 60 accounts, and not for all of them.
func TestWrongAdminPassword(t *testing.T) {
	t.Parallel()
	from, to := testlife.Of(dovecottest.Start(dovecottest.WithMailboxes()))(t), testlife.Of(dovecottest.Start())(t)
	var list strings.Builder
	for i := range 60 {
		user := fmt.Sprintf("user%02d", i)
		from.SetUsers(dovecottest.User{Name: user, Password: "x"})
		to.SetUsers(dovecottest.User{Name: user, Password: "x"})
		list.WriteString(user + "\n")
	}
	dir := t.TempDir()
	users := filepath.Join(dir, "users.txt")
	if err := os.WriteFile(users, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call(t, "-insecure", "-from", "imap://"+from.MasterUser+":wrong@"+from.IMAPAddr,
		"-to", "imap://"+to.MasterUser+":"+to.MasterPassword+"@"+to.IMAPAddr, "-users", users,
		"-state", filepath.Join(dir, "state"))
	if code != cli.Failed || !strings.Contains(errs, "no account would fare better") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if n := from.IMAPCommands()["AUTHENTICATE"]; n == 0 || n > 10 {
		t.Errorf("%d logins were tried", n)
	}
}

// A server whose certificate a private authority has signed is reached with -from-ca-file
// or from_ca_file, and with neither it is not.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate, which is for 127.0.0.1
	defer web.Close()
	from, to := testlife.Of(dovecottest.Start(dovecottest.WithMailboxes()))(t), testlife.Of(dovecottest.Start())(t)
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "anna", Password: "x"})
	}
	if _, err := from.AddMessage("anna", "INBOX", message(1)); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go from.ServeIMAP(c)
		}
	}()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})))
	source, target := "imaps://anna:x@"+l.Addr().String(), "imap://anna:x@"+to.IMAPAddr
	config := write("district.toml", fmt.Sprintf("[migrate]\nfrom = %q\nto = %q\ninsecure = true\n"+
		"from_ca_file = 'ca.pem'\n", source, target))
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"without", []string{"-from", source, "-to", target, "-insecure"}, cli.Failed, "certificate"},
		{"flag", []string{"-from", source, "-to", target, "-insecure", "-from-ca-file", filepath.Join(dir, "ca.pem")},
			cli.Done, "1 copied"},
		{"configuration", []string{"-config", config}, cli.Done, "1 recognised"},
		{"no such file", []string{"-from", source, "-to", target, "-insecure", "-from-ca-file", "none.pem"}, cli.Usage,
			"none.pem"},
	} {
		code, out, errs := call(t, append(tt.args, "-state", filepath.Join(dir, tt.name))...)
		if code != tt.code || !strings.Contains(out+errs, tt.says) {
			t.Errorf("%s: exit %d\n%s%s", tt.name, code, out, errs)
		}
	}
}
