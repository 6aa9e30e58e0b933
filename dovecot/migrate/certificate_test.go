package migrate

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/internal/page"
	"github.com/ictmedia/schoolmail/internal/page/pagetest"
)

func TestCertificateTexts(t *testing.T) {
	t.Parallel()
	pagetest.Texts(t, pageFiles, []string{"."}, pagetest.Families{
		"stage.":      {string(Waiting), string(FirstCopy), string(Delta), string(CutOver), string(Verified), string(Failed)},
		"difference.": {DifferenceMissing, DifferenceRemoved, DifferenceContent, DifferenceFlags, DifferenceDate},
	})
}

// The certificate names site and servers, has a place to sign and shows the evidence,
// in each language.
func TestCertificateInEachLanguage(t *testing.T) {
	t.Parallel()
	complete := &Certificate{Account: "anna@x.example", Complete: true, Stage: CutOver, Digest: "sha1",
		Folders: []FolderCertificate{{Target: "Sent", Sources: []string{"Gesendet"}, SourceMessages: 1200,
			SourceBytes:    1 << 20,
			TargetMessages: 1201, Equal: 1199, Digests: 1200, Flags: 2, Extra: 1}},
		Differences: []Difference{{Folder: "Gesendet", UID: 7, Target: 8, Kind: DifferenceFlags, Text: `\Seen`}}}
	failed := &Certificate{Account: "beat@x.example", Stage: Failed, Error: "login <refused>", Changed: []string{"INBOX"},
		Doubtful: []string{"Archive"}, Skipped: []string{"Trash"},
		Folders: []FolderCertificate{{Target: "INBOX", Sources: []string{"INBOX"}, SourceMessages: 3, Missing: 3}}}
	w := SumCertificates("Welle 1", time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC), []*Certificate{complete, failed})
	w.Site, w.From, w.To = "Schulen Musterstadt", "cyrus.example:993", "dovecot.example:993"
	for lang, want := range map[string][]string{
		"de": {`lang="de-CH"`, "Protokoll der Migration: Welle 1", "1 von 2 Postfächern vollständig, 3 Nachrichten fehlen.",
			"Ort und Datum", "Für die Informatik", "Gesendet → Sent", "Markierungen anders: 2", "29.11.2026 03:00:00"},
		"fr": {`lang="fr-CH"`, "1 boîtes sur 2 complètes", "Lieu et date", "Pour le mandant"},
		"en": {`lang="en"`, "1 of 2 mailboxes complete", "Place and date", "For the owner"},
	} {
		w.Language = lang
		var b bytes.Buffer
		if err := w.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		pagetest.Check(t, b.Bytes())
		for _, s := range append(want, "Schulen Musterstadt", "cyrus.example:993", "dovecot.example:993",
			"login &lt;refused&gt;",
			`class="sign"`) {
			if !strings.Contains(b.String(), s) {
				t.Errorf("%s: nothing about %q in\n%s", lang, s, b.String())
			}
		}
	}
	if page.Of("it") != page.English {
		t.Error("whose language has no pages gets English ones")
	}
}
