package district

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A list of new ids counts when somebody answers for it; its hash stands in the policy.
func TestPairsFiles(t *testing.T) {
	t.Parallel()
	file := save(t, strings.Replace(write(t, small()), "[export]\n", "[export]\npairs_files = [\"pairs.csv\"]\n", 1))
	put := func(text string) {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "pairs.csv"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const head = "by;H. Frei\ndate;2026-11-29\nreason;new numbers\n"
	text := "\ufeff# from the school administration\r\n" + head + "old;new\n1;n1\n\"2\"; n2 \n"
	put(text)
	sum := sha256.Sum256([]byte(text))
	k := load(t, file).Policy().Rekeyings
	if len(k) != 1 || k[0].SHA256 != hex.EncodeToString(sum[:]) || k[0].By != "H. Frei, 2026-11-29" ||
		k[0].Reason != "new numbers" || len(k[0].Pairs) != 2 || k[0].Pairs[1].New != "n2" {
		t.Errorf("%+v", k)
	}
	for wrong, want := range map[string]string{
		"old;new\n1;2\n":                           "pairs.csv:1:1: not signed: expected rows by;NAME",
		"by;A\ndate;2026-11-29\nold;new\n":         "not signed",
		"by;A\ndate;tomorrow\nreason;r\nold;new\n": "pairs.csv:2:1: date: expected a day",
		head + "old;neu\n1;2\n":                    `pairs.csv:4:1: expected a row of titles with a column "new"`,
		head + "old;new\n1;2\n3\n":                 `pairs.csv:6:1: column "new" is empty`,
		head + "old;new\n1;2\n\"3;4\n":             "pairs.csv:6:1: expected fields",
		head:                                       "expected a row of titles: old;new",
		head + "old;new\n1;2\n3;2\n":               "in another pair already",
	} {
		put(wrong)
		if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", wrong, err, want)
		}
	}
}
