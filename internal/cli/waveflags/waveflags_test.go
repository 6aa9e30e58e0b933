package waveflags

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/cli"
)

func TestReadConfig(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "district.toml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`[migrate]
from = "imaps://adm@old"
to = "imaps://master@new"
from_password = "secret"
wave = "pilot"
[[migrate.window]]
begin = 2026-11-28T18:00:00+01:00
end = 2026-11-29T20:00:00+01:00
[migrate.folders]
skip = ["Alt"]
[migrate.folders.roles]
Sent = "Gesendete Objekte"
[migrate.folders.map]
"Gesendet" = "Ablage"
[site]
name = "Musterstadt"
language = "fr"
[mail]
another = "program's mistake"
`)
	var s Settings
	if _, err := s.Read([]string{"-config", file}); err != nil {
		t.Fatal(err)
	}
	if s.Site != "Musterstadt" || s.Language != "fr" {
		t.Errorf("the certificate would be of %q in %q", s.Site, s.Language)
	}
	if r := s.Rules(); r.Roles[migrate.Sent] != "Gesendete Objekte" || r.Map["Gesendet"] != "Ablage" ||
		len(s.TimeWindows()) != 1 ||
		s.FromPassword.Reveal() != "secret" || s.Parallel != 4 {
		t.Errorf("%+v", s)
	}
	for text, want := range map[string]string{
		"[migrate]\nfrmo = 1":                   "district.toml:2:1: migrate.frmo: unknown key; is from meant?",
		"[migrate]\nfrom = [":                   "district.toml:2:",
		"from = 'x'":                            "district.toml:1:1: from: is now from in [migrate]",
		"[migrate.folders.roles]\nSend = \"x\"": "district.toml:2:1: migrate.folders.roles.Send: expected one of",
		"[[migrate.window]]\nbegin=2026-01-02T00:00:00Z\nend=2026-01-01T00:00:00Z": "district.toml:3:1: " +
			"migrate.window[1].end: expected a time after begin",
	} {
		write(text)
		if _, err := new(Settings).Read([]string{"-config", file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever a flag or the district file says reaches the migration, and a flag overrules the file.
func TestWhatIsSaidReachesTheMigration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := file("district.toml", `[migrate]
from = "imaps://adm@old"
to = "imaps://master@new"
from_password = "of the file"
from_connections = 3
to_connections = 5
from_bytes_per_second = 7
parallel = 2
keep_deleted = true
max_deleted = 0.25
max_size = 9
since = "2020-01-31"
attempts = 4
timeout = "3m"
[migrate.flags]
"$Old" = "$New"
[migrate.folders]
skip = ["Alt"]
only = ["INBOX"]
virtual = true
forbidden = "^"
no_name_table = true
`)
	password, token := file("password", "of the flag\r\n"), file("token", "abc\n")
	read := func(args ...string) (s Settings) {
		t.Helper()
		if _, err := s.Read(args); err != nil {
			t.Fatal(err)
		}
		fs := cli.NewFlags("test", "", io.Discard, io.Discard)
		s.Declare(fs)
		if _, ok := fs.Parse(args); !ok {
			t.Fatalf("%q was not taken", args)
		}
		return s
	}
	rules := migrate.FolderRules{Skip: []string{"Alt"}, Only: []string{"INBOX"}, Virtual: true, Forbidden: "^",
		NoNameTable: true, Roles: map[migrate.Role]string{}}
	want := migrate.Options{Folders: rules, KeepDeleted: true, MaxDeleted: 0.25, Attempts: 4,
		Flags:  map[string]string{"$Old": "$New"},
		Limits: migrate.Limits{MaxSize: 9, Since: time.Date(2020, 1, 31, 0, 0, 0, 0, time.UTC)}}
	check := func(s Settings, secret string, timeout time.Duration) (from, to migrate.Server) {
		t.Helper()
		from, to, err := s.Servers()
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Options(&from)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, o); d != "" {
			t.Error(d)
		}
		if from.AdminPassword.Reveal() != secret || from.Timeout != timeout || to.Timeout != timeout ||
			from.Connections != 3 || to.Connections != 5 || from.BytesPerSecond != 7 || s.Parallel != 2 {
			t.Errorf("%+v\n%+v", from, to)
		}
		return from, to
	}
	s := read("-config", config)
	check(s, "of the file", 3*time.Minute)
	want.Folders.Skip, want.Folders.Only = []string{"Alt", "Bin"}, []string{"INBOX", "Sent"}
	want.AllowDeletions, want.Recopy, want.Quota, want.Attempts = true, true, true, 6
	want.Limits = migrate.Limits{MaxSize: 10, Since: time.Date(2021, 2, 3, 0, 0, 0, 0, time.UTC)}
	s = read("-config="+config, "-allow-deletions", "-recopy", "-copy-quota", "-attempts", "6", "-max-size", "10",
		"-since", "2021-02-03", "-include", "Sent", "-exclude", "Bin", "-timeout", "90s", "-from-password", password,
		"-cut-over", "-from-token-file", token, "-to-token-command", "printenv MIGRATE_USER")
	from, to := check(s, "of the flag", 90*time.Second)
	one, err1 := from.Token(t.Context(), "anna")
	other, err2 := to.Token(t.Context(), "anna")
	if one.Reveal() != "abc" || other.Reveal() != "anna" || err1 != nil || err2 != nil || !s.CutOver {
		t.Errorf("%q %v, %q %v, cut over %v", one.Reveal(), err1, other.Reveal(), err2, s.CutOver)
	}
	for _, args := range [][]string{{"-since", "yesterday"}, {"-preset", "lotus"}, {"-timeout", "-3s"},
		{"-from-ca-file", filepath.Join(dir, "none")}, {"-to-password", filepath.Join(dir, "none")},
		{"-users", filepath.Join(dir, "none")}} {
		s := read(append([]string{"-from", "imaps://a@old", "-to", "imaps://b@new"}, args...)...)
		from, _, err1 := s.Servers()
		_, err2 := s.Options(&from)
		var err3 error
		if s.Users != "" {
			_, err3 = s.Accounts()
		}
		if err1 == nil && err2 == nil && err3 == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
