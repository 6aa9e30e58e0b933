package wsdl_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// answerOf returns a getMultipleData answer of n users with the fields that a
// school account has; everything else is nil, as a server sends it.
func answerOf(tb testing.TB, n int) []byte {
	tb.Helper()
	var resp oxuser.GetMultipleDataResponse
	for i := range n {
		mail := fmt.Sprintf("vorname.nachname%d@schule.example", i)
		resp.Return_ = append(resp.Return_, &oxuser.User{
			Aliases:  []string{mail, fmt.Sprintf("v.nachname%d@schule.example", i)},
			Birthday: &xsd.Date{Year: 2010, Month: 5, Day: 4, Zone: "Z"},
			Company:  new("Schule am See"), Contextadmin: new(false), DefaultSenderAddress: &mail, Department: new("7b"),
			Display_name: new(fmt.Sprintf("Nachname, Vörname %d", i)), Email1: &mail, Given_name: new("Vörname"),
			Sur_name:                new("Nachname"),
			Gui_spam_filter_enabled: new(true), Id: new(int32(i + 3)), ImapLogin: &mail, ImapPort: new(int32(143)),
			ImapSchema: new("imap://"),
			ImapServer: new("imap.schule.example"), ImapServerString: new("imap://imap.schule.example:143"),
			Language: new("de_DE"), Mailenabled: new(true),
			MaxQuota: new(int64(-1)), Name: new(fmt.Sprintf("vorname.nachname%d", i)), PasswordMech: new("{SHA-256}"),
			Password_expired: new(false),
			PrimaryEmail:     &mail, SmtpPort: new(int32(25)), SmtpSchema: new("smtp://"),
			SmtpServer:       new("smtp.schule.example"),
			SmtpServerString: new("smtp://smtp.schule.example:25"), Timezone: new("Europe/Berlin"),
			UploadFileSizeLimit: new(int32(0)),
			UserAttributes: &oxuser.SOAPStringMapMap{Entries: []*oxuser.SOAPMapEntry{{Key: new("config"),
				Value: &oxuser.SOAPStringMap{
					Entries: []*oxuser.Entry{{Key: new("com.openexchange.mail.specialuse.check"), Value: new("true")}}}}}},
			Convert_drive_user_folders: new(false), FilestoreId: new(int32(0)),
		})
	}
	b, err := soap.EncodeResponse(oxuser.OpGetMultipleData, &resp)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// canned answers every request with the same body.
type canned []byte

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/xml"}},
		Body: io.NopCloser(bytes.NewReader(c))}, nil
}

func BenchmarkDecodeUsers(b *testing.B) {
	const users = 1000
	data := answerOf(b, users)
	b.Run("soap", func(b *testing.B) {
		c, err := soap.NewClient("http://ox.example/webservices",
			&soap.Options{HTTPClient: &http.Client{Transport: canned(data)}})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for u, err := range soap.Returns[oxuser.User](context.Background(), c, oxuser.OpGetMultipleData,
				&oxuser.GetMultipleData{}) {
				if err != nil || u.Name == nil {
					b.Fatal(u, err)
				}
				n++
			}
			if n != users {
				b.Fatal(n)
			}
		}
		b.ReportMetric(float64(len(data))/users, "B/user")
	})
	b.Run("encoding/xml", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			var env struct {
				Body struct {
					Response oxuser.GetMultipleDataResponse `xml:"getMultipleDataResponse"`
				} `xml:"Body"`
			}
			if err := xml.NewTokenDecoder(nilFilter{xml.NewDecoder(bytes.NewReader(data))}).Decode(&env); err != nil {
				b.Fatal(err)
			}
			if len(env.Body.Response.Return_) != users {
				b.Fatal(len(env.Body.Response.Return_))
			}
		}
	})
}

// nilFilter is what encoding/xml needs to tell nil from zero.
type nilFilter struct{ d *xml.Decoder }

func (f nilFilter) Token() (xml.Token, error) {
	for {
		tok, err := f.d.Token()
		start, ok := tok.(xml.StartElement)
		if err != nil || !ok || len(start.Attr) == 0 || start.Attr[len(start.Attr)-1].Name.Local != "nil" {
			return tok, err
		}
		if err := f.d.Skip(); err != nil {
			return nil, err
		}
	}
}
