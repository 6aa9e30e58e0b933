package report_test

import (
	"bytes"
	"cmp"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/internal/page"
	"github.com/ictmedia/schoolmail/internal/page/pagetest"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ox/oxtest"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/report"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// Pages of a school year on the sandbox are looked at in Chromium: on a wide screen and
// a telephone, light and dark, and printed. With PAGES=FOLDER pages, pictures and prints
// are left there, to be looked at by people.
func TestLooks(t *testing.T) {
	t.Parallel()
	b := pagetest.StartBrowser(t)
	dir := cmp.Or(os.Getenv("PAGES"), t.TempDir())
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(300)))(t)
	acts := schoolYear(t, sb)
	for _, lang := range page.Languages() {
		pages := filepath.Join(dir, lang)
		if err := site.WriteRun(pages, &report.Report{Title: "Schulen Musterstadt", Language: lang}, acts); err != nil {
			t.Fatal(err)
		}
	}
	certificates(t, sb, dir)
	var files []string
	for _, pattern := range []string{"*/report.html", "*/plan-2.html", "*/acknowledgement-2.html", "*/certificate.html",
		"*/schools/school-2-*.html"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Fatalf("no page %s", pattern)
		}
		files = append(files, found...)
	}
	seen := map[string]bool{}
	for _, f := range files {
		rel, _ := filepath.Rel(dir, f)
		lang, name, _ := strings.Cut(filepath.ToSlash(rel), "/")
		if strings.HasPrefix(name, "schools/") {
			if name = "school"; seen[lang+name] {
				continue // one school for all
			}
		}
		seen[lang+name] = true
		name = strings.TrimSuffix(name, ".html") + "-" + lang
		views := []pagetest.View{{Width: 375}, {Width: 1280}, {Width: 375, Dark: true}, {Width: 1280, Dark: true}}
		if lang != "de" {
			views = views[:1]
		}
		for _, v := range views {
			b.Open(f, v)
			for _, fault := range b.Faults() {
				t.Errorf("%s at %s: %s", name, v, fault)
			}
			keep(t, filepath.Join(dir, name+"-"+v.String()+".png"), picture(t, b))
		}
		b.Open(f, pagetest.View{Width: 680, Print: true})
		for _, fault := range b.Faults() {
			t.Errorf("%s in print: %s", name, fault)
		}
		b.Open(f, pagetest.View{Width: 1280, Dark: true}) // who prints may have a dark screen
		pdf := b.PDF()
		if n := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1)); n < 1 || n > 60 {
			t.Errorf("%s: %d printed pages", name, n)
		}
		keep(t, filepath.Join(dir, name+".pdf"), pdf)
	}
}

// picture takes a picture, on which there is something.
func picture(t *testing.T, b *pagetest.Browser) []byte {
	t.Helper()
	data := b.Picture()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	colours := map[[3]uint32]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 3 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 3 {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r, g, b}] = true
		}
	}
	if len(colours) < 8 {
		t.Errorf("a picture of %v has %d colours", img.Bounds(), len(colours))
	}
	return data
}

func keep(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// schoolYear runs a school year, and returns its first run, the change of terms, at
// which something fails, something is held back and something has to be corrected, and
// a run some weeks later.
func schoolYear(t *testing.T, sb *sitetest.Sandbox) []*site.Act {
	t.Helper()
	set := sb.Settings()
	run := func(d *escadatest.District, spoil bool) *site.Act {
		if err := sb.Deliver(d); err != nil {
			t.Fatal(err)
		}
		if spoil {
			spoilExport(t, set.ExportDir)
			defer sb.OX.Inject(oxtest.Fault{Service: "OXUserService", Op: "createByModuleAccessName", Times: 3,
				Failure: oxtest.Failure{Kind: "InvalidDataException", Message: "Invalid data sent: quota"}})()
		}
		open, err := site.Open(set, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer open.Close()
		acts, err := open.Run(t.Context(), &site.RunOptions{Day: d.Today(), Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		return acts[0]
	}
	d := sb.District
	first := run(d, false)
	for i := range 9 {
		run(d.Day(35*(i+1), 8), false)
	}
	d = d.Next(nil)
	change := run(d, true)
	change.Title = "Change of the school year"
	return []*site.Act{first, change, run(d.Day(56, 4), false)}
}

// certificates migrates the sandbox's old mailboxes, one of which has no account, and
// leaves the certificate in each language.
func certificates(t *testing.T, sb *sitetest.Sandbox, dir string) {
	t.Helper()
	settings := t.TempDir()
	if err := sb.WriteDir(settings); err != nil {
		t.Fatal(err)
	}
	c, err := district.Load(filepath.Join(settings, "district.toml"), &district.Options{Program: district.Migrate})
	if err != nil {
		t.Fatal(err)
	}
	m := c.Migrate
	from, err1 := migrate.ParseServer(m.From, m.Insecure)
	to, err2 := migrate.ParseServer(m.To, m.Insecure)
	users, err3 := os.ReadFile(m.Users)
	accounts, err4 := migrate.ReadAccounts(m.Users, strings.NewReader(string(users)+"nobody@schulen.example\n"))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	from.AdminPassword, to.AdminPassword = m.FromPassword, m.ToPassword
	for _, lang := range page.Languages() {
		j := runner.Job{From: from, To: to, State: m.StateDir, Verify: true, Sample: 1, Site: "Schulen Musterstadt",
			Language: lang, Report: filepath.Join(dir, lang, "certificate.html"),
			Wave: migrate.Wave{Name: m.Wave, Accounts: accounts}}
		if rep, err := j.Run(t.Context()); err != nil || rep.Certificate.Complete != len(accounts)-1 {
			t.Fatalf("%+v, %v", rep.Certificate, err)
		}
	}
}

// spoilExport makes rows unreadable and leaves most pupils of a school out.
func spoilExport(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(data), "\n")
		var out []string
		for i, line := range lines {
			fields := strings.Split(line, ";")
			switch {
			case i == 0 || len(fields) < 5:
			case strings.Contains(line, "sek-") && i%3 == 0:
				continue
			case i%40 == 7: // no name
				fields[2] = ""
			case i%40 == 9: // no date
				fields[7] = "31.02.2027"
			}
			out = append(out, strings.Join(fields, ";"))
		}
		if err := os.WriteFile(f, []byte(strings.Join(out, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
