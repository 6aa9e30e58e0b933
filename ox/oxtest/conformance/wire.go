package conformance

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// Raw parameters.

func (r *run) userCtx(cc *ox.ContextClient) *oxuser.Context {
	return &oxuser.Context{Id: new(int32(cc.ID()))}
}

func (r *run) userAuth() *oxuser.Credentials {
	return &oxuser.Credentials{Login: new(adminLogin), Password: new(adminPassword)}
}

func (r *run) master() *oxcontext.Credentials {
	return &oxcontext.Credentials{Login: &r.target.Master.Login, Password: new(r.target.Master.Password.Reveal())}
}

// change sends a raw user change in the first context.
func (r *run) change(u *oxuser.User) error {
	return r.raw.Call(r.ctx, oxuser.OpChange, &oxuser.Change{Ctx: r.userCtx(r.a), Usrdata: u, Auth: r.userAuth()}, nil)
}

// get reads a user of the first context as the server answers it.
func (r *run) get(id schoolmail.UserID) (*oxuser.User, error) {
	var out oxuser.GetDataResponse
	err := r.raw.Call(r.ctx, oxuser.OpGetData, &oxuser.GetData{Ctx: r.userCtx(r.a),
		User: &oxuser.User{Id: new(int32(id))}, Auth: r.userAuth()}, &out)
	if err == nil && out.Return_ == nil {
		err = errors.New("getData answered nothing")
	}
	return out.Return_, err
}

// post sends an envelope as it is to a service and returns status and body,
// whose references are resolved.
func (r *run) post(service, action, envelope string) (int, string, error) {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, strings.TrimSuffix(r.target.URL, "/")+"/"+service,
		strings.NewReader(envelope))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	if action != "" {
		req.Header.Set("SOAPAction", action)
	}
	client := r.target.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, html.UnescapeString(string(body)), err
}

// exists is an envelope that asks for a user by name, with something put into
// its parts.
func (r *run) exists(envelopeSpace, wrapperAttr, extra string) string {
	return fmt.Sprintf(`<e:Envelope xmlns:e=%q><e:Body><S:exists xmlns:S="http://soap.admin.openexchange.com"`+
		` xmlns:D="http://dataobjects.soap.admin.openexchange.com/xsd" `+
		`xmlns:R="http://dataobjects.rmi.admin.openexchange.com/xsd" %s>`+
		`<S:ctx><D:id>%d</D:id>%s</S:ctx><S:user><D:name>%s</D:name></S:user><S:auth><R:login>%s</R:login><R:password>`+
		`%s</R:password></S:auth></S:exists></e:Body></e:Envelope>`,
		envelopeSpace, wrapperAttr, r.a.ID(), extra, adminLogin, adminLogin, adminPassword)
}

const soap11 = "http://schemas.xmlsoap.org/soap/envelope/"

// answers checks status and text of a raw answer. How the server words what its XML
// binding refuses depends on the binding, so little of such texts is looked at.
func answers(status int, text string) func(int, string, error) error {
	return func(gotStatus int, body string, err error) error {
		switch {
		case err != nil:
			return err
		case gotStatus != status || !strings.Contains(body, text):
			return errorf("status %d, %.300s", gotStatus, body)
		}
		return nil
	}
}

var wireFacts = []Fact{
	{"void-empty-body", "a void operation answers an empty Body", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		return r.change(&oxuser.User{Id: new(int32(u.ID))}) // anything in the Body is a ProtocolError
	}},
	{"action-ignored", "the SOAPAction header does not matter", func(r *run) error {
		return answers(200, ">true<")(r.post("OXUserService", `"urn:delete"`, r.exists(soap11, "", "")))
	}},
	{"no-namespace", "a child without namespace is matched by its local name", func(r *run) error {
		env := strings.NewReplacer("<S:user>", `<user>`, "</S:user>", "</user>").Replace(r.exists(soap11, "", ""))
		return answers(200, ">true<")(r.post("OXUserService", "", env))
	}},
	{"any-order", "children may come in any order", func(r *run) error {
		env := r.exists(soap11, "", "")
		i, j, k := strings.Index(env, "<S:ctx>"), strings.Index(env, "<S:user>"), strings.Index(env, "<S:auth>")
		env = env[:i] + env[j:k] + env[i:j] + env[k:]
		return answers(200, ">true<")(r.post("OXUserService", "", env))
	}},
	{"unknown-child", "an unknown child is a Client fault without detail", func(r *run) error {
		return answers(500, "nexpected element ")(r.post("OXUserService", "", r.exists(soap11, "", "<D:nonsense/>")))
	}},
	{"wrong-namespace", "a child in a wrong namespace is a Client fault", func(r *run) error {
		return answers(500, "nexpected element ")(r.post("OXUserService", "", r.exists(soap11, "", `<S:name>x</S:name>`)))
	}},
	{"bad-number", "a number that is none is a Client fault", func(r *run) error {
		return answers(500, "Client")(r.post("OXUserService", "", r.exists(soap11, "", "<D:filestoreId>abc</D:filestoreId>")))
	}},
	{"empty-number", "an empty int is as good as none", func(r *run) error {
		return answers(200, "")(r.post("OXUserService", "", r.exists(soap11, "", "<D:filestoreId/>")))
	}},
	{"soap12", "a SOAP 1.2 envelope is a VersionMismatch", func(r *run) error {
		return answers(500, "VersionMismatch")(r.post("OXUserService", "",
			r.exists("http://www.w3.org/2003/05/soap-envelope", "", "")))
	}},
	{"no-operation", "an empty Body is a Server fault", func(r *run) error {
		return answers(500, "No binding operation info")(r.post("OXUserService", "",
			`<e:Envelope xmlns:e="`+soap11+`"><e:Body/></e:Envelope>`))
	}},
	{"unknown-service", "an unknown service is status 404", func(r *run) error {
		status, body, err := r.post("OXNoSuchService", "", r.exists(soap11, "", ""))
		return answers(404, "")(status, body, err)
	}},
	{"nils-cost", "a list spells out nil fields: more than 8 KB per user with nothing but the id", func(r *run) error {
		if _, err := r.user(); err != nil {
			return err
		}
		n := int64(0)
		for u, err := range soap.Returns[oxuser.User](r.ctx, r.raw, oxuser.OpListAll,
			&oxuser.ListAll{Ctx: r.userCtx(r.a), Auth: r.userAuth()}) {
			if err != nil {
				return err
			}
			if u.Id == nil || u.Name != nil || u.PrimaryEmail != nil {
				return errorf("listAll answers more than ids: %s", *u.Name)
			}
			n++
		}
		if r.received/n < 8_000 {
			return errorf("%d bytes per user", r.received/n)
		}
		return nil
	}},
}
