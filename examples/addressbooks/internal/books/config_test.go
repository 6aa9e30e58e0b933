package books

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/ictmedia/schoolmail/addressbook"
)

// The files beside the program must be what they say.
func TestSampleFiles(t *testing.T) {
	t.Parallel()
	rules, err := readRules("../../rules.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := addressbook.DefaultRules()
	want.Owner, want.GraceDays, want.MaxGonePercent = "schoolmail", 14, 50
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("rules.toml: -default +file\n%s", diff)
	}
	f, err := os.Open("../../addressbooks.toml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var c Config
	if err := toml.NewDecoder(f).DisallowUnknownFields().Decode(&c); err != nil {
		t.Fatal(err)
	}
	if len(c.OX.Contexts) != 2 || c.LDAP.Password.Reveal() != "..." || c.OX.Contexts[1].ID != 2 {
		t.Errorf("addressbooks.toml: %+v", c)
	}
}

func TestRulesFileWithMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ownr = \"x\"\n":  "ownr",
		"owner = \"X\"\n": "lower-case",
		"owner = \n":      "toml",
	} {
		file := filepath.Join(t.TempDir(), "rules.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRules(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}
