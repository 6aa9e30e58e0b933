package jetstream

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Embed starts a NATS server with JetStream in this process, which keeps what it has to keep in a
// directory. Machines reach it at the address, "127.0.0.1:4222"; port 0 takes a free one, which
// the server's ClientURL tells. Who can reach the address can read the names of all accounts and
// end their migration: anywhere but on loopback a token is demanded.
func Embed(dir, addr, token string) (*server.Server, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("jetstream: address %q: want host:port", addr)
	}
	port, err := strconv.Atoi(p)
	if err != nil {
		return nil, fmt.Errorf("jetstream: address %q: want host:port", addr)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if ip := net.ParseIP(host); token == "" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("jetstream: address %q: without a token only loopback", addr)
	}
	s, err := server.NewServer(&server.Options{ServerName: "migrate", Host: host, Port: port, JetStream: true,
		StoreDir: dir, Authorization: token, NoLog: true, NoSigs: true})
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	go s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		s.Shutdown()
		return nil, errors.New("jetstream: the server in this process does not start")
	}
	return s, nil
}
