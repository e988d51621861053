// An ext_proc server in Go, for comparison only: grpc-go with Envoy's published types, doing for one service what the
// sidecar does for a tagged request. It reads the headers, holds ten rules against them, hashes the key, and answers
// with the same headers and metadata. No policies from a control plane, no counters, no outcomes, no shedding: what it
// costs is a lower bound for a sidecar in Go that does all of this.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/cespare/xxhash/v2"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	alsv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	keyHeader = "x-user-id"
	buckets   = 10_000
)

var salt = "bench-1"

type request map[string]string

// rule says which version its members are pinned to; the load meets none, so each request is held against all.
type rule struct {
	name, pin string
	match     func(request) bool
}

func exact(name string, values ...string) func(request) bool {
	wanted := map[string]bool{}
	for _, value := range values {
		wanted[value] = true
	}
	return func(r request) bool { return wanted[r[name]] }
}

func prefix(name, start string) func(request) bool {
	return func(r request) bool { return strings.HasPrefix(r[name], start) }
}

var rules = []rule{
	{"staff", "v2", exact("x-team", "ml")},
	{"quality", "v2", exact("x-team", "qa", "sre", "support")},
	{"paying", "v1", exact("x-tier", "gold", "platinum")},
	{"americas", "v1", prefix("x-region", "us-")},
	{"asia", "v1", prefix("x-region", "ap-")},
	{"company", "v2", func(r request) bool { return strings.HasSuffix(r[keyHeader], "@example.com") }},
	{"testers", "v2", func(r request) bool { _, is := r["x-tester"]; return is }},
	{"machines", "v1", prefix("user-agent", "probe/")},
	{"berlin", "v1", func(r request) bool { return r["x-region"] == "eu-central-1" && r["x-tier"] == "bronze" }},
	{"deletes", "v1", exact(":method", "DELETE")},
}

type processor struct {
	extproc.UnimplementedExternalProcessorServer
}

func (processor) Process(stream extproc.ExternalProcessor_ProcessServer) error {
	message, err := stream.Recv()
	if err != nil {
		return err
	}
	headers := message.GetRequestHeaders()
	if headers == nil {
		return nil
	}
	return stream.Send(answer(headers))
}

func option(name string, value []byte) *core.HeaderValueOption {
	return &core.HeaderValueOption{
		Header:       &core.HeaderValue{Key: name, RawValue: value},
		AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

func answer(headers *extproc.HttpHeaders) *extproc.ProcessingResponse {
	seen := make(request, len(headers.Headers.Headers))
	for _, header := range headers.Headers.Headers {
		seen[header.Key] = strings.TrimSpace(string(header.RawValue))
	}
	cohort, pin := "everyone", ""
	for _, each := range rules {
		if each.match(seen) {
			cohort, pin = each.name, each.pin
			break
		}
	}
	key := seen[keyHeader]
	hash := xxhash.Sum64String(salt + ":" + key)
	bucket := hash % buckets
	set := []*core.HeaderValueOption{
		option("x-serinus-cohort", []byte(cohort)),
		option("x-serinus-key", []byte(salt+":"+key)),
		option("x-serinus-bucket", []byte(strconv.FormatUint(bucket, 10))),
	}
	if pin != "" {
		set = append(set, option("x-serinus-pin", []byte(pin)))
	}
	fields := map[string]*structpb.Value{
		"cohort": structpb.NewStringValue(cohort),
		"bucket": structpb.NewNumberValue(float64(bucket)),
		"key":    structpb.NewStringValue(fmt.Sprintf("%016x", hash)),
	}
	return &extproc.ProcessingResponse{
		Response: &extproc.ProcessingResponse_RequestHeaders{RequestHeaders: &extproc.HeadersResponse{
			Response: &extproc.CommonResponse{
				HeaderMutation:  &extproc.HeaderMutation{SetHeaders: set},
				ClearRouteCache: true,
			},
		}},
		DynamicMetadata: &structpb.Struct{Fields: map[string]*structpb.Value{
			"serinus": structpb.NewStructValue(&structpb.Struct{Fields: fields}),
		}},
	}
}

type logs struct {
	alsv3.UnimplementedAccessLogServiceServer
}

func (logs) StreamAccessLogs(stream alsv3.AccessLogService_StreamAccessLogsServer) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	extproc.RegisterExternalProcessorServer(server, processor{})
	alsv3.RegisterAccessLogServiceServer(server, logs{})
	healthpb.RegisterHealthServer(server, health.NewServer())
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		<-ended.Done()
		server.Stop()
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
