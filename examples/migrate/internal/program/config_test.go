package program

import (
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

func TestReadConfig(t *testing.T) {
	t.Parallel()
	c, err := ReadConfig("m.toml", strings.NewReader(`from = "imaps://adm@old"
to = "imaps://master@new"
from_password = "secret"
wave = "pilot"
[[window]]
begin = 2026-11-28T18:00:00+01:00
end = 2026-11-29T20:00:00+01:00
[folders]
skip = ["Alt"]
[folders.roles]
Sent = "Gesendete Objekte"
[folders.map]
"Gesendet" = "Ablage"
`))
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Rules(); r.Roles[migrate.Sent] != "Gesendete Objekte" || r.Map["Gesendet"] != "Ablage" || len(c.Windows) != 1 || c.FromPassword.Reveal() != "secret" {
		t.Errorf("%+v", c)
	}
	for text, want := range map[string]string{
		"frmo = 1":                      "unknown key",
		"from = [":                      "m.toml:1:",
		"[folders.roles]\nSend = \"x\"": "\"Send\" is none of",
		"[[window]]\nbegin=2026-01-02T00:00:00Z\nend=2026-01-01T00:00:00Z": "ends before it begins",
	} {
		if _, err := ReadConfig("m.toml", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
