package waveflags

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
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
