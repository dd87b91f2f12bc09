"""What Prometheus reads, by its own parser."""

from prometheus_client.parser import text_string_to_metric_families

from lesionflow.serving.prometheus_metrics import ServiceMetrics


def samples(metrics):
    families = text_string_to_metric_families(metrics.render().decode())
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def test_each_service_counts_for_itself():
    one, other = ServiceMetrics(), ServiceMetrics()
    one.studies.labels("segmented").inc()
    one.requests.labels("/v1/segment", "POST", "200").inc(3)
    name = ("lesionflow_studies_total", ("outcome", "segmented"))
    assert samples(one)[name] == 1
    assert name not in samples(other)
    labels = (("method", "POST"), ("route", "/v1/segment"), ("status", "200"))
    assert samples(one)["lesionflow_http_requests_total", *labels] == 3


def test_a_studys_time_falls_into_every_bucket_that_is_not_shorter():
    metrics = ServiceMetrics()
    metrics.seconds.observe(7.0)
    found = samples(metrics)
    assert [found["lesionflow_study_seconds_bucket", ("le", le)] for le in ("5.0", "10.0", "600.0", "+Inf")] == [
        0,
        1,
        1,
        1,
    ]
    assert (found["lesionflow_study_seconds_sum",], found["lesionflow_study_seconds_count",]) == (7.0, 1)


def test_the_process_itself_is_measured():
    assert samples(ServiceMetrics())["process_resident_memory_bytes",] > 1e6


def test_a_model_that_is_served_no_more_is_told_no_more():
    metrics = ServiceMetrics()
    metrics.tell_models([("m", "1", "a")])
    metrics.tell_models([("m", "2", "b")])
    told = [line for line in metrics.render().decode().splitlines() if line.startswith("lesionflow_model{")]
    assert told == ['lesionflow_model{bundle_digest="b",name="m",version="2"} 1.0']
