package ox_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

const benchLatency = 25 * time.Millisecond

// BenchmarkCreateUsers makes b.N users with their access profile in five
// contexts of a server that takes 25 ms for every call and serialises the user
// writes of a context: through the scheduler, and as a client does that makes
// one call after the other (create, then access). "limit" is the share of
// contexts/latency that is reached.
//
//	go test ./ox -run xxx -bench CreateUsers -benchtime 5000x
func BenchmarkCreateUsers(b *testing.B) {
	const contexts = 5
	setUp := func(b *testing.B) (*oxtest.Instance, *ox.Groupware) {
		srv, c := start(b, nil, oxtest.WithLatency(benchLatency), oxtest.WithoutCallLog())
		admins := make(map[schoolmail.ContextID]ox.Credentials)
		for id := 10; id < 10+contexts; id++ {
			addContexts(b, srv, id)
			admins[schoolmail.ContextID(id)] = admin
		}
		return srv, ox.NewGroupware(c, admins, nil)
	}
	spec := func(i int) schoolmail.UserSpec {
		name := fmt.Sprintf("user.%d", i)
		return schoolmail.UserSpec{Username: name, GivenName: "Zoë", FamilyName: "Müller",
			DisplayName: fmt.Sprintf("Zoë Müller %d", i),
			Mail:        name + "@s.example", Aliases: []string{"u." + name + "@s.example"}, Language: "de",
			Access: "groupware_standard", MailEnabled: true}
	}
	report := func(b *testing.B, g *ox.Groupware, before ox.Stats) {
		st, n, took := g.Client().Stats(), float64(b.N), b.Elapsed().Seconds()
		b.ReportMetric(float64(st.Total.Requests-before.Total.Requests)/n, "requests/user")
		b.ReportMetric(float64(st.Total.Received-before.Total.Received)/n, "answer-B/user")
		b.ReportMetric(n/took, "users/s")
		b.ReportMetric(100*n/took/(contexts/benchLatency.Seconds()), "%limit")
		b.ReportMetric(float64(st.Total.Retries), "retries")
	}
	b.Run("scheduled", func(b *testing.B) {
		_, g := setUp(b)
		b.ReportAllocs()
		b.ResetTimer()
		var wg sync.WaitGroup
		work := make(chan int)
		for range 4 * contexts {
			wg.Go(func() {
				for i := range work {
					if _, err := g.EnsureUser(b.Context(), schoolmail.ContextID(10+i%contexts), spec(i)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for i := range b.N {
			work <- i
		}
		close(work)
		wg.Wait()
		b.StopTimer()
		report(b, g, ox.Stats{})
	})
	b.Run("one-after-the-other", func(b *testing.B) {
		_, g := setUp(b)
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			s := spec(i)
			users := g.Client().Context(schoolmail.ContextID(10+i%contexts), admin).Users
			u, err := users.Create(b.Context(), ox.NewUser{Name: s.Username, DisplayName: s.DisplayName, GivenName: s.GivenName,
				FamilyName: s.FamilyName, PrimaryEmail: s.Mail, Aliases: s.Aliases, Password: "dummy"})
			if err == nil {
				err = users.SetAccessName(b.Context(), ox.UserRef{ID: u.ID}, s.Access)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		report(b, g, ox.Stats{})
	})
}

// BenchmarkObserve reads 32,000 users in four contexts, all of them per
// iteration: ids by listAll or from the default group, then the users in chunks; or
// everything by the HTTP API. heap-MiB is the most that was ever in use, the simulator's state included (it
// runs in the same process).
//
//	go test ./ox -run xxx -bench Observe -benchtime 1x
func BenchmarkObserve(b *testing.B) {
	const contexts, each = 4, 8000
	for _, name := range []string{"ids-from-list", "ids-from-group", "http-api"} {
		b.Run(name, func(b *testing.B) {
			srv, c := start(b, nil, oxtest.WithLatency(benchLatency), oxtest.WithoutCallLog())
			admins := make(map[schoolmail.ContextID]ox.Credentials)
			var ids []schoolmail.ContextID
			for id := 10; id < 10+contexts; id++ {
				addContexts(b, srv, id)
				admins[schoolmail.ContextID(id)] = admin
				ids = append(ids, schoolmail.ContextID(id))
				for i := range each - 1 {
					if _, err := srv.State().AddUser(schoolmail.ContextID(id),
						oxtest.User{Name: fmt.Sprintf("user.%d.%d", id, i), GivenName: "Zoë",
							Surname: "Müller"}); err != nil {
						b.Fatal(err)
					}
				}
			}
			opt := &ox.GroupwareOptions{IDsFromGroup: name == "ids-from-group"}
			if name == "http-api" {
				opt.Reader = httpReader(b, srv)
			}
			g := ox.NewGroupware(c, admins, opt)
			srv.ResetCalls()
			runtime.GC()
			var before runtime.MemStats
			runtime.ReadMemStats(&before)
			stop, peak := watchHeap()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				_, places, err := g.Observe(b.Context(), ids)
				if err != nil || len(places) != contexts*each {
					b.Fatal(len(places), err)
				}
			}
			b.StopTimer()
			stop()
			n, _, out := srv.Requests()
			b.ReportMetric(float64(n)/float64(b.N), "requests")
			b.ReportMetric(float64(out)/float64(b.N)/(1<<20), "answer-MiB")
			b.ReportMetric(float64(contexts*each*b.N)/b.Elapsed().Seconds(), "users/s")
			b.ReportMetric(float64(*peak-before.HeapInuse)/(1<<20), "heap-MiB")
		})
	}
}

// watchHeap notes the most heap in use until stop is called.
func watchHeap() (stop func(), peak *uint64) {
	peak = new(uint64)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			*peak = max(*peak, m.HeapInuse)
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }, peak
}

// canned answers every request with the same bytes, without a network.
type canned []byte

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/xml; charset=UTF-8"}},
		Body: io.NopCloser(bytes.NewReader(c)), ContentLength: int64(len(c))}, nil
}

// recorded is the answer that the simulator gives when 300 users are read, of
// the size that a real one has.
func recorded(b *testing.B) []byte {
	srv, _ := start(b, nil)
	addContexts(b, srv, 10)
	req := &oxuser.GetMultipleData{Ctx: &oxuser.Context{Id: new(int32(10))},
		Auth: &oxuser.Credentials{Login: &admin.Login, Password: new(admin.Password.Reveal())}}
	for i := range 300 {
		id, err := srv.State().AddUser(10, oxtest.User{Name: fmt.Sprintf("user.%d", i), GivenName: "Zoë", Surname: "Müller"})
		if err != nil {
			b.Fatal(err)
		}
		req.Users = append(req.Users, &oxuser.User{Id: new(int32(id))})
	}
	body, err := soap.EncodeRequest(oxuser.OpGetMultipleData, req)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := http.Post(srv.SOAPURL+"/OXUserService", "text/xml", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		b.Fatal(resp.Status, err)
	}
	return out
}

// BenchmarkReadUsers turns the answer of getMultipleData for 300 users into
// values, on one core: by this package, and by plain encoding/xml with the same
// generated types.
func BenchmarkReadUsers(b *testing.B) {
	answer := recorded(b)
	b.Run("ox", func(b *testing.B) {
		c, err := ox.New([]string{"http://canned/webservices"}, admin,
			&ox.Options{HTTPClient: &http.Client{Transport: canned(answer)}})
		if err != nil {
			b.Fatal(err)
		}
		users := c.Context(10, admin).Users
		ids := make([]schoolmail.UserID, 300)
		for i := range ids {
			ids[i] = schoolmail.UserID(i + 3)
		}
		b.SetBytes(int64(len(answer)))
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for u, err := range users.Load(context.Background(), ids) {
				if err != nil || u.Name == "" {
					b.Fatal(err)
				}
				n++
			}
			if n != 300 {
				b.Fatal(n)
			}
		}
		b.ReportMetric(float64(len(answer))/300, "answer-B/user")
	})
	b.Run("encoding-xml", func(b *testing.B) {
		type envelope struct {
			Body struct {
				Response oxuser.GetMultipleDataResponse `xml:"http://soap.admin.openexchange.com getMultipleDataResponse"`
			} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
		}
		b.SetBytes(int64(len(answer)))
		b.ReportAllocs()
		for b.Loop() {
			var e envelope
			// Without a filter for xsi:nil every nil number is a parse error, so the
			// comparison is with the filter that one would write first.
			if err := xml.NewTokenDecoder(nilFilter{xml.NewDecoder(bytes.NewReader(answer))}).Decode(&e); err != nil {
				b.Fatal(err)
			}
			if len(e.Body.Response.Return_) != 300 {
				b.Fatal(len(e.Body.Response.Return_))
			}
		}
	})
}

// nilFilter leaves out elements with xsi:nil.
type nilFilter struct{ d *xml.Decoder }

func (f nilFilter) Token() (xml.Token, error) {
	for {
		t, err := f.d.Token()
		s, ok := t.(xml.StartElement)
		if err != nil || !ok {
			return t, err
		}
		isNil := false
		for _, a := range s.Attr {
			isNil = isNil || a.Name.Local == "nil" && (a.Value == "true" || a.Value == "1")
		}
		if !isNil {
			return t, nil
		}
		if err := f.d.Skip(); err != nil {
			return nil, err
		}
	}
}

// taped remembers the answer to each operation and gives it again, without a network.
type taped struct {
	mu      sync.Mutex
	answers map[string][]byte
}

func (t *taped) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	op := r.URL.Path + r.Header.Get("SOAPAction")
	if _, ok := t.answers[op]; !ok {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if t.answers[op], err = io.ReadAll(resp.Body); err != nil {
			return nil, err
		}
	}
	return canned(t.answers[op]).RoundTrip(r)
}

// BenchmarkReadPlaces reads a context of 300 users as the planner does, on one core.
func BenchmarkReadPlaces(b *testing.B) {
	srv, err := oxtest.Start()
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	addContexts(b, srv, 10)
	for i := range 299 {
		name := fmt.Sprintf("zoe.mueller.%d", i)
		if _, err := srv.State().AddUser(10, oxtest.User{Name: name, GivenName: "Zoë", Surname: "Müller",
			PrimaryEmail: name + "@s.example", Aliases: []string{"z" + name + "@s.example"}}); err != nil {
			b.Fatal(err)
		}
	}
	tape := &taped{answers: map[string][]byte{}}
	c, err := ox.New([]string{srv.SOAPURL}, ox.Credentials{Login: "oxadminmaster", Password: "secret"},
		&ox.Options{HTTPClient: &http.Client{Transport: tape}})
	if err != nil {
		b.Fatal(err)
	}
	g := ox.NewGroupware(c, map[schoolmail.ContextID]ox.Credentials{10: admin}, nil)
	observe := func() {
		_, places, err := g.Observe(b.Context(), []schoolmail.ContextID{10})
		if err != nil || len(places) != 300 {
			b.Fatal(len(places), err)
		}
	}
	observe()
	size := 0
	for _, a := range tape.answers {
		size += len(a)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		observe()
	}
}
