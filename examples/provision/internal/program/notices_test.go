package program_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
)

// A site's own texts are shown before anybody gets them, and one with a mistake
// stops the program before it asks any server.
func TestPreviewNotices(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	texts := filepath.Join(s.dir, "texts")
	if err := os.Mkdir(texts, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(texts, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("leaving-teacher-de.txt", "Adieu {{.Mail}}\n\nLiebe {{.Given}}, am {{.Due}} ist Schluss.\n")
	b, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte("[notices]\n"), []byte("[notices]\ntexts_dir = \"texts\"\n"), 1)
	if err := os.WriteFile(s.config(), b, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() (int, string, string) {
		var out, errs bytes.Buffer
		exit := program.Main(t.Context(), []string{"-config", s.config(), "-preview-notices"}, &out, &errs)
		return exit, out.String(), errs.String()
	}
	exit, out, errs := run()
	for _, want := range []string{"== leaving, teacher, de\nSubject: Adieu erika.beispiel@schulen.example\n\n" +
		"Liebe Erika, am 29.03.2027 ist Schluss.",
		"== leaving, pupil, de\nSubject: Dein Postfach", "== cancelled, staff, it\nSubject: La Sua casella",
		"== reminder, pupil, fr\nSubject: Rappel",
		"== reminder, about a pupil to parents, de\nSubject: Erinnerung: Das Postfach",
		"== leaving, about a pupil to class-teacher, en\nSubject: The mailbox"} {
		if exit != 0 || !strings.Contains(out, want) {
			t.Errorf("exit status %d %s, nothing about %q in\n%s", exit, errs, want, out)
		}
	}
	write("leaving-fr.txt", "Adieu\n\nC'est fini.\n")
	exit, out, errs = run()
	if exit != 2 || out != "" || !strings.Contains(errs, "notices.texts_dir") ||
		!strings.Contains(errs, "leaving-fr.txt") {
		t.Errorf("a text without day and mailbox: %d %s %s", exit, out, errs)
	}
}
