package district

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
)

// Passwords do not travel in the clear to another machine, unless the file says so.
func TestPlaintextNeedsToBeSaid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url       string
		plaintext bool
		fine      bool
	}{
		{"https://ox.example/webservices", false, true},
		{"http://127.0.0.1:8080/webservices", false, true},
		{"http://[::1]:8080/webservices", false, true},
		{"http://localhost/webservices", false, true},
		{"http://ox.example/webservices", false, false},
		{"http://10.0.0.7/webservices", false, false},
		{"http://ox.example/webservices", true, true},
		{"http://127.0.0.1.example.org/webservices", false, false},
	} {
		l := &loader{c: &Config{}}
		fine := l.web("ox.soap_urls", test.url, "ox", test.plaintext)
		if fine != test.fine {
			t.Errorf("%s, plaintext %v: %v", test.url, test.plaintext, fine)
		}
	}
}

// A secret file from an editor of another system is the same secret; blanks at the
// ends are told, since nobody sees them.
func TestSecretFileOfAnotherSystem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ file, want, warning string }{
		{"geheim", "geheim", ""},
		{"geheim\n", "geheim", ""},
		{"geheim\r\n", "geheim", ""},
		{"\ufeffgeheim\r\n", "geheim", ""},
		{"geheim \n", "geheim ", "begins or ends with a blank"},
		{" geheim", " geheim", "begins or ends with a blank"},
	} {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
			t.Fatal(err)
		}
		l := &loader{c: &Config{}}
		l.c.Directory.PasswordFile = file
		l.secrets()
		warnings := strings.Join(l.c.Warnings, "\n")
		if got := l.c.Directory.Password.Reveal(); got != test.want || (warnings == "") != (test.warning == "") ||
			!strings.Contains(warnings, test.warning) ||
			strings.Contains(warnings, "geheim") {
			t.Errorf("%q: %q, %s", test.file, got, warnings)
		}
	}
}

// Books are not written without a secret for their keys, whoever writes them: readers
// see these, and could try record ids.
func TestBooksNeedASalt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		program Program
		salt    string
		books   bool // wanted of watch
		fine    bool
	}{
		{Addressbooks, "", false, false},
		{Addressbooks, "fifteen letters", false, false},
		{Addressbooks, "sixteen letters!", false, true},
		{Watch, "", true, false},
		{Watch, "sixteen letters!", true, true},
		{Watch, "", false, true},
		{Provision, "", false, true},
	} {
		l := &loader{c: &Config{}, program: test.program}
		l.c.Addressbooks.Salt, l.c.Watch.NoBooks = schoolmail.Secret(test.salt), !test.books
		l.checkAddressbooks(l.c)
		if fine := !strings.Contains(l.errs.Error(), "addressbooks.salt"); fine != test.fine {
			t.Errorf("%s, %q, books %v: %v", test.program, test.salt, test.books, l.errs)
		}
	}
}
