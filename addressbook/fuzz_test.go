package addressbook

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/appsuite"
)

// answers is a server that lets one log in and gives the same answer to
// everything else.
type answers string

func (a answers) RoundTrip(rq *http.Request) (*http.Response, error) {
	body := string(a)
	if strings.HasSuffix(rq.URL.Path, "/login") {
		body = `{"session":"0123456789abcdef0123456789abcdef","user":"svc","user_id":3,"context_id":1,"locale":"de_CH"}`
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: rq,
	}, nil
}

// FuzzAnswers feeds the store answers that no server gives: it must report an
// error or a snapshot that Diff can work with, and never more.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"data":{"user_id":3,"context_id":1,"context_admin":2},"timestamp":1}`)
	f.Add(`{"data":[[3,1,"svc","a","b","c","d@example.org",[0],null]]}`)
	f.Add(`{"data":{"public":[["33","2","Klasse 3a","contacts",2,257,[{"entity":3,"group":false,"bits":403710016}],` +
		`1,3]]}}`)
	f.Add(`[{"data":[["1","33",1,3,0,false,"Anna","A","M","a@example.org","","","","schoolmail:p:x","",[{"mail":"x"}]]]}]`)
	f.Add(`{"error":"x","code":"SES-0203","categories":"TRY_AGAIN"}`)
	f.Add(`null`)
	want, err := Build(DefaultRules(), village())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		client, err := appsuite.New("http://ox.invalid/ajax/", &appsuite.Options{
			HTTPClient: &http.Client{Transport: answers(answer)}, Rate: appsuite.Rate{Requests: -1},
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := client.Login(t.Context(), appsuite.Credentials{Name: "svc@1", Password: "x"})
		if err != nil {
			t.Fatal(err)
		}
		st, err := NewStore(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		have, err := st.Load(t.Context())
		if err != nil {
			return
		}
		for _, p := range Diff(DefaultRules(), have, want.Contexts[0], schoolmail.Date(740000)).Folders {
			for _, f := range have.Folders {
				if f.ID == p.ID && f.CreatedBy != have.Self {
					t.Errorf("the plan touches folder %q of user %d", f.ID, f.CreatedBy)
				}
			}
		}
	})
}
