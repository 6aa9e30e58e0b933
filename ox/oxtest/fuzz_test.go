package oxtest

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// FuzzRequest: whatever comes in, the answer is XML and the status 200 or 500.
func FuzzRequest(f *testing.F) {
	seed := func(op *soap.Operation, req any) {
		b, err := soap.EncodeRequest(op, req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(op.Service, string(b))
	}
	seed(oxuser.OpCreate, &oxuser.Create{Ctx: userCtx(10), Usrdata: person("mia"), Auth: adminAuth})
	seed(oxuser.OpChange, &oxuser.Change{Ctx: userCtx(10), Usrdata: &oxuser.User{Id: state.Id32(2), Language: new("")},
		Auth: adminAuth})
	seed(oxuser.OpList, &oxuser.List{Ctx: userCtx(10), Search_pattern: new("*a%_"), Auth: adminAuth,
		Length: state.Id32(-1),
		Offset: state.Id32(-2)})
	seed(oxuser.OpListByAliasDomain, &oxuser.ListByAliasDomain{Ctx: userCtx(10), Alias_domain: new("x"), Auth: adminAuth,
		Length: state.Id32(1), Offset: state.Id32(99)})
	seed(oxuser.OpChangeByModuleAccess, &oxuser.ChangeByModuleAccess{Ctx: userCtx(10),
		User: &oxuser.User{Id: state.Id32(2)},
		Auth: adminAuth})
	seed(oxgroup.OpChange, &oxgroup.Change{Ctx: groupCtx(10), Grp: &oxgroup.Group{Id: state.Id32(1), Members: []int32{2}},
		Auth: groupAuth})
	seed(oxcontext.OpListPageAll, &oxcontext.ListPageAll{Offset: new("1"), Length: new("-1"), Auth: masterAuth})
	seed(oxcontext.OpCreate, &oxcontext.Create{Ctx: &oxcontext.Context{Id: state.Id32(30), MaxQuota: new(int64(1))},
		Admin_user: adminOf("a"), Auth: masterAuth})
	f.Add("OXUserService", "<a/>")
	srv := New(WithoutCallLog())
	if err := srv.State().AddContext(Context{ID: 10}); err != nil {
		f.Fatal(err)
	}
	snap := srv.State().Snapshot()
	f.Fuzz(func(t *testing.T, service, body string) {
		if srv.soap.Services[service] == nil {
			return
		}
		srv.State().Restore(snap)
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/webservices/"+service, strings.NewReader(body)))
		if w.Code != 200 && w.Code != 500 {
			t.Fatalf("status %d", w.Code)
		}
		d := xml.NewDecoder(w.Body)
		for {
			if _, err := d.Token(); err == io.EOF {
				return
			} else if err != nil {
				t.Fatalf("%v in the answer to %q", err, body)
			}
		}
	})
}
