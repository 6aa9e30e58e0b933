package books

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/addressbook"
)

// The file beside the program must be what it says.
func TestSampleRules(t *testing.T) {
	t.Parallel()
	rules, err := readRules("../../addressbooks/rules.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := addressbook.DefaultRules()
	want.Owner, want.GraceDays, want.MaxGonePercent = "schoolmail", 14, 50
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("rules.toml: -default +file\n%s", diff)
	}
}

func TestRulesFileWithMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ownr = \"x\"\n":  "ownr",
		"owner = \"X\"\n": "lower-case",
		"owner = \n":      "rules.toml:1:",
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
