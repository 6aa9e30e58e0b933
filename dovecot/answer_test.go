package dovecot

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body string
		want       []ResultRow // of the first answer
		ok         bool
	}{
		{"empty", `[["doveadmResponse",[],"1"]]`, []ResultRow{}, true},
		{"rows", `[["doveadmResponse",[{"a":"1"},{"a":"2"}],"1"]]`, []ResultRow{{"a": "1"}, {"a": "2"}}, true},
		{"numbers", `[["doveadmResponse",[{"size":4096,"x":1.5,"y":true,"z":null}],"1"]]`,
			[]ResultRow{{"size": "4096", "x": "1.5", "y": "true", "z": ""}}, true},
		{"the spilt rows of who", `[["doveadmResponse",[{"u":"a"}],{"u":"b"},{"u":"c"},"1"]]`,
			[]ResultRow{{"u": "a"}, {"u": "b"}, {"u": "c"}}, true},
		{"object", `[["doveadmResponse",{"userList":[]},"1"]]`, nil, true},
		{"error", `[["error",{"type":"exitCode", "exitCode":65},"1"]]`, nil, true},
		{"error without type", `[["error",{},"1"]]`, nil, false},
		{"unknown kind", `[["hello",[],"1"]]`, nil, false},
		{"no tag", `[["doveadmResponse",[]]]`, nil, false},
		{"tag no string", `[["doveadmResponse",[],1]]`, nil, false},
		{"rows no array", `[["doveadmResponse","x","1"]]`, nil, false},
		{"row no object", `[["doveadmResponse",["x"],"1"]]`, nil, false},
		{"no array", `{}`, nil, false},
		{"nothing", ``, nil, false},
	} {
		got, err := parseAnswers([]byte(tc.body))
		if (err == nil) != tc.ok {
			t.Errorf("%s: error %v", tc.name, err)
			continue
		}
		if tc.ok {
			if d := cmp.Diff(tc.want, got[0].rows); d != "" {
				t.Errorf("%s (-want +got):\n%s", tc.name, d)
			}
		}
	}
}

func FuzzParseAnswers(f *testing.F) {
	f.Add([]byte(`[["doveadmResponse",[{"mailbox":"INBOX","messages":"3"}],"1"]]`))
	f.Add([]byte(`[["doveadmResponse",[{"u":"a"}],{"u":"b"},"1"],["error",{"type":"exitCode", "exitCode":65},"2"]]`))
	f.Add([]byte(`[["doveadmResponse",{"a@s.test":{"home":"/x"}},"1"]]`))
	f.Add([]byte(`[["error",{"type":"unknownMethod", "exitCode":0},"a"]["doveadmResponse",[],"b"]]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := parseAnswers(body)
		if err != nil {
			return
		}
		for _, a := range list {
			for _, r := range a.rows {
				statusOf(r) // must not panic
			}
			if a.errType != "" && a.rows != nil {
				t.Errorf("an error with rows: %+v", a)
			}
		}
	})
}

// TestNoProxy: HTTP_PROXY in the environment does not send the key elsewhere.
func TestNoProxy(t *testing.T) {
	t.Parallel()
	if httpClient(&Options{}).Transport.(*http.Transport).Proxy != nil {
		t.Error("requests go to a proxy if the environment says so")
	}
}

// TestIsWithin: what RemoveMail takes for the user's own.
func TestIsWithin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path, folder string
		want         bool
	}{
		{"/h/u/Maildir/.X", "/h/u", true},
		{"/h/u/Maildir", "/h/u/Maildir/", true},
		{"/h/ulla/Maildir", "/h/u", false},
		{"/h/other/Maildir/.X", "/h/u/Maildir", false},
		{"/h/u/x", "", false},
		{"/h/u/x", "/", false},
		{"/h/u/x", ".", false},
	} {
		if got := isWithin(tc.path, tc.folder); got != tc.want {
			t.Errorf("isWithin(%q, %q) = %v", tc.path, tc.folder, got)
		}
	}
}

func TestMailLocation(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ mail, want string }{
		{"maildir:~/Maildir", "maildir:/h/u/Maildir"},
		{"maildir:~/Maildir:INDEX=~/index", "maildir:/h/u/Maildir:INDEX=/h/u/index"},
		{"mdbox:%h/mdbox", "mdbox:/h/u/mdbox"},
		{"maildir:/srv/x", "maildir:/srv/x"},
		{"maildir:~", "maildir:/h/u"}, // left as it is, it would be the new login's own home
		{"maildir:~:INDEX=~:LAYOUT=fs", "maildir:/h/u:INDEX=/h/u:LAYOUT=fs"},
		{"maildir:/srv/~x/a=b", "maildir:/srv/~x/a=b"},
		{"", ""},
	} {
		if got := (User{Home: "/h/u", Mail: tc.mail}).MailLocation(); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.mail, got, tc.want)
		}
	}
}
