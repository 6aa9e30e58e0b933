package site_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// What a school with a key gets only that key opens; lists in the clear hold no
// formula; letters have a page for each person and nothing that a name could start.
// Who is purged leaves all of it.
func TestPasswordsForSchools(t *testing.T) {
	t.Parallel()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]site.HandOut{
		"clear":     {},
		"letters":   {Letters: true, Change: true},
		"encrypted": {Key: id.Recipient().String(), Letters: true},
		"by school": {Keys: map[schoolmail.SchoolID]string{"ps-birkenhof": id.Recipient().String()}},
		"elsewhere": {Keys: map[schoolmail.SchoolID]string{"ps-other": id.Recipient().String()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
			set, day := sb.Settings(), sb.District.Today()
			set.HandOut = out
			all := people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin", "3": "=SUM(1+1) Xaver", "4": "<b>Damian Yersin"}
			some := people{"2": all["2"], "3": all["3"], "4": all["4"]}
			night(t, set, all, day)
			dir := filepath.Join(set.StateDir, "initial-passwords")
			secret := name == "encrypted" || name == "by school"
			text := handedOut(t, dir, id)
			if !strings.Contains(text, ";Ottilie Zumthor;") || strings.Contains(text, ";=SUM") {
				t.Errorf("the list: %s", text)
			}
			if letters := strings.Count(text, "<section"); out.Letters != (letters >= 3) {
				t.Errorf("%d letters", letters)
			}
			if strings.Contains(text, ": <b>") || out.Change != strings.Contains(text, "neues Passwort") {
				t.Errorf("letters: %s", text)
			}
			clear := found(t, dir, "Zumthor")
			if secret != (len(clear) == 0) {
				t.Errorf("in the clear: %v", clear)
			}
			night(t, set, some, day+1)
			night(t, set, some, day+58)
			night(t, set, some, day+60+schoolmail.Date(sb.Policy.LifeCycle.PurgeDays))
			if text := handedOut(t, dir, id); strings.Contains(text, "Zumthor") || len(found(t, set.StateDir, "zumthor")) > 0 {
				t.Errorf("purged and still handed out: %s", text)
			}
		})
	}
}

// handedOut is all that schools get, opened with their key.
func handedOut(t *testing.T, dir string, id age.Identity) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		file, err := os.Open(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
		var in io.Reader = file
		if filepath.Ext(f.Name()) == ".age" {
			if in, err = age.Decrypt(file, id); err != nil {
				t.Fatal(err)
			}
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
