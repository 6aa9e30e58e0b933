package ox

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"path"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
	"github.com/ictmedia/schoolmail/ox/internal/oxsecaccount"
	"github.com/ictmedia/schoolmail/ox/internal/oxtask"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
)

// allOperations is every operation of every service.
func allOperations() []*soap.Operation {
	var out []*soap.Operation
	for _, list := range [][]*soap.Operation{oxcontext.Operations, oxuser.Operations, oxgroup.Operations,
		oxresource.Operations,
		oxutil.Operations, oxtask.Operations, oxusercopy.Operations, oxsecaccount.Operations} {
		out = append(out, list...)
	}
	return out
}

// decodeRequest reads a request as strictly as a server does.
func decodeRequest(t testing.TB, op *soap.Operation, body []byte) any {
	_, req, fault := soap.NewRequestDecoder(op.Request.Space, []*soap.Operation{op}).Decode(body)
	if fault != nil {
		t.Errorf("%v: %v", op, fault)
	}
	return req
}

// fakeServer answers requests without a network. By default an operation gets an
// answer in which everything is filled in with samples.
type fakeServer struct {
	// answer, if not nil, may answer instead; it returns a response struct, an
	// error to be sent as fault, or handled=false for the default.
	answer func(op *soap.Operation, body []byte, r *http.Request) (resp any, err error, handled bool)

	mu       sync.Mutex
	requests []fakeRequest
}

type fakeRequest struct {
	op   *soap.Operation
	body []byte
}

func (f *fakeServer) ops() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, r := range f.requests {
		out = append(out, r.op.String())
	}
	return out
}

// RoundTrip is the whole network.
func (f *fakeServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return response(http.StatusOK, "text/xml", nil), nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	name := path.Base(r.URL.Path) + "." + strings.TrimPrefix(strings.Trim(r.Header.Get("SOAPAction"), `"`), "urn:")
	var op *soap.Operation
	for _, o := range allOperations() {
		if o.String() == name {
			op = o
		}
	}
	if op == nil {
		return response(http.StatusNotFound, "text/plain", []byte("No service was found.")), nil
	}
	f.mu.Lock()
	f.requests = append(f.requests, fakeRequest{op, body})
	f.mu.Unlock()
	var resp any
	if f.answer != nil {
		var handled bool
		resp, err, handled = f.answer(op, body, r)
		switch fault, isFault := err.(fakeFault); {
		case isFault:
			return response(http.StatusInternalServerError, "text/xml", fault.envelope()), nil
		case err != nil:
			return nil, err
		case !handled:
			resp = nil
		}
		if status, ok := resp.(int); ok {
			return response(status, "text/html", []byte("<h1>proxy</h1>")), nil
		}
	}
	if resp == nil && !op.Void() {
		resp = op.NewResponse()
		setSample(reflect.ValueOf(resp).Elem(), 0)
		aboutWhatWasAsked(op, body, resp)
	}
	out, err := soap.EncodeResponse(op, resp)
	if err != nil {
		return nil, err
	}
	return response(http.StatusOK, "text/xml; charset=UTF-8", out), nil
}

// aboutWhatWasAsked gives the answer to a read the ids and names of the request.
func aboutWhatWasAsked(op *soap.Operation, body []byte, resp any) {
	if op.Name != "getData" && op.Name != "getMultipleData" {
		return
	}
	_, decoded, _ := soap.NewRequestDecoder(op.Request.Space, []*soap.Operation{op}).Decode(body)
	req, answer := reflect.ValueOf(decoded).Elem(), reflect.ValueOf(resp).Elem().FieldByName("Return_")
	for _, name := range []string{"User", "Grp", "Res", "Users", "Grps", "Resources", "Ctx"} {
		asked := req.FieldByName(name)
		if !asked.IsValid() {
			continue
		}
		if asked.Kind() != reflect.Slice {
			copyRef(answer.Elem(), asked.Elem())
			return
		}
		sample := answer.Index(0).Elem()
		answer.SetZero()
		for i := range asked.Len() {
			one := reflect.New(sample.Type())
			one.Elem().Set(sample)
			copyRef(one.Elem(), asked.Index(i).Elem())
			answer.Set(reflect.Append(answer, one))
		}
		return
	}
}

// copyRef copies the id and the name that a request gave.
func copyRef(dst, src reflect.Value) {
	for _, name := range []string{"Id", "Name"} {
		if f := src.FieldByName(name); f.IsValid() && !f.IsNil() {
			dst.FieldByName(name).Set(f)
		}
	}
}

func response(status int, contentType string, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
}

// fakeFault is a fault as OX writes it.
type fakeFault struct{ kind, text string }

func (f fakeFault) Error() string { return f.text }

func (f fakeFault) envelope() []byte {
	var b bytes.Buffer
	b.WriteString(`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>` +
		`<faultcode>soap:Server</faultcode><faultstring>`)
	_ = xml.EscapeText(&b, []byte(f.text))
	b.WriteString(`</faultstring>`)
	if f.kind != "" {
		b.WriteString(`<detail><n:` + f.kind + ` xmlns:n="http://soap.admin.openexchange.com"><n:` + f.kind + `/></n:` +
			f.kind + `></detail>`)
	}
	b.WriteString(`</soap:Fault></soap:Body></soap:Envelope>`)
	return b.Bytes()
}

var testAdmin = Credentials{Login: "oxadmin", Password: "admin-secret"}

// newFake returns a client of a fake server.
func newFake(t testing.TB, f *fakeServer, opt *Options) *Client {
	t.Helper()
	o := Options{}
	if opt != nil {
		o = *opt
	}
	o.HTTPClient = &http.Client{Transport: f}
	c, err := New([]string{"http://ox.example/webservices"}, Credentials{Login: "oxadminmaster",
		Password: "master-secret"}, &o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// setSample fills a generated value with something that is not zero.
func setSample(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		if depth < 6 {
			v.Set(reflect.New(v.Type().Elem()))
			setSample(v.Elem(), depth+1)
		}
	case reflect.Struct:
		switch v.Interface().(type) {
		case xml.Name:
			return
		case xsd.Date:
			v.Set(reflect.ValueOf(xsd.Date{Year: 2012, Month: 3, Day: 4}))
			return
		}
		for i := range v.NumField() {
			setSample(v.Field(i), depth)
		}
	case reflect.Slice:
		if depth < 6 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			setSample(v.Index(0), depth)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, item := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		setSample(key, depth)
		setSample(item, depth)
		v.SetMapIndex(key, item)
	case reflect.String:
		v.SetString("sample")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		if v.Type() == reflect.TypeFor[schoolmail.Date]() {
			v.SetInt(int64(schoolmail.NewDate(2012, 3, 4)))
		} else {
			v.SetInt(7)
		}
	case reflect.Uint8:
		v.SetUint(7)
	}
}
