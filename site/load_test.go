package site

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/ucs"
)

// What accounts get besides their names is in the district file: profiles, quota and
// mail server by context, Windows' templates, classes as groups of Open-Xchange. It is
// written as it was read.
func TestWhatAccountsGet(t *testing.T) {
	t.Parallel()
	small, err := os.ReadFile("district/testdata/small.toml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "district.toml")
	if err := os.WriteFile(file, small, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := district.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := c.Directory
	want.ClassesInOX, want.OXProfiles = true, map[string]string{"webmail": "webmail-pupils"}
	want.Windows = district.WindowsTemplates{HomePath: `\\fileserver\<username>`, HomeDrive: "I:"}
	c.Directory = want
	id := c.Contexts[0].ID
	c.Contexts[0].MailQuotaMB, c.Contexts[0].MailHomeServer = 2000, "imap.schulen.example"
	if err := district.WriteFile(file, c); err != nil {
		t.Fatal(err)
	}
	if c, err = district.Load(file, nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, c.Directory); d != "" {
		t.Errorf("-written +read\n%s", d)
	}
	set, err := FromDistrict(c)
	if err != nil {
		t.Fatal(err)
	}
	d := set.Directory
	if !d.ClassesInOX || d.OXProfiles["webmail"] != "webmail-pupils" || d.Windows.HomePath != `\\fileserver\<username>` {
		t.Errorf("options %+v", d)
	}
	for ctx, want := range map[schoolmail.ContextID]ucs.Extras{
		id: {MailQuotaMB: 2000, MailHomeServer: "imap.schulen.example"}, id + 1000: {}} {
		if got := d.Extras(schoolmail.Account{Context: ctx}); got != want {
			t.Errorf("context %d: %+v", ctx, got)
		}
	}
}
