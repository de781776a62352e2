{{- define "semsim.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "semsim.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "semsim.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "semsim.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "semsim.selector" -}}
app.kubernetes.io/name: {{ include "semsim.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Selects the Pods that serve, and not the one of `helm test`. */}}
{{- define "semsim.podSelector" -}}
{{ include "semsim.selector" . }}
app.kubernetes.io/component: service
{{- end -}}

{{- define "semsim.labels" -}}
{{ include "semsim.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "semsim.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "semsim.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "semsim.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "semsim.tokenSecret" -}}
{{ .Values.auth.existingSecret | default (printf "%s-token" (include "semsim.fullname" .)) }}
{{- end -}}

{{/* The port of gRPC in the Pod; 0 = none. */}}
{{- define "semsim.grpcPort" -}}
{{ dig "grpc" "port" 3001 .Values.config | int }}
{{- end -}}

{{/* Accepted requests are answered after SIGTERM: the last of HTTP, then the last of gRPC. The worker is killed 5 s later. */}}
{{- define "semsim.grace" -}}
{{- $seconds := dig "request_seconds" 30 .Values.config | mulf 2 | ceil | int -}}
{{ .Values.terminationGracePeriodSeconds | default (add .Values.preStopSeconds $seconds 10) }}
{{- end -}}

{{/* The memory that the largest requests of the settings take, as semsim_service.host.memory_need counts it. A node has any
number of cores: by default decode_threads is at most 4, and there is a scoring_process. */}}
{{- define "semsim.memoryLimit" -}}
{{- $config := .Values.config -}}
{{- $mib := 1048576 -}}
{{- $bodies := mul 3 (dig "queue" "bytes" 268435456 $config | int64) -}}
{{- $small := dig "decode_threads" 4 $config | int64 -}}
{{- $picture := min (dig "limits" "image_pixels" 16777216 $config | int64) (dig "limits" "request_pixels" 134217728 $config | int64) -}}
{{- $threads := add (mul (add 1 $small $small) 64 $mib) (mul (add 1 $small) 31 $picture) -}}
{{- $worker := add (mul 384 $mib) $bodies $threads (dig "cache_bytes" 0 $config | int64) -}}
{{- if and (dig "scoring_process" true $config) (not (dig "lpips" "" $config)) -}}
{{- $worker = add $worker (mul 192 $mib) (dig "cache_bytes" 0 $config | int64) -}}
{{- end -}}
{{- if dig "lpips" "" $config -}}
{{- $worker = add $worker (mul 64 $mib) (mul (add 1 $small $small) 144 $mib) -}}
{{- end -}}
{{- $bytes := add (mul 128 $mib) (mul (dig "workers" 1 $config | int64) $worker) -}}
{{- if dig "spare_worker" false $config -}}
{{- $bytes = add $bytes (mul 112 $mib) -}}
{{- end -}}
{{- if .Values.gpu.enabled -}}
{{- $bytes = add $bytes (mul 2048 $mib) -}}
{{- end -}}
{{ div (add $bytes (sub $mib 1)) $mib }}Mi
{{- end -}}

{{/* Refuses values that the chart would work against. */}}
{{- define "semsim.check" -}}
{{- if dig "auth" "token" "" .Values.config -}}
{{- fail "expected the token in a Secret (auth.existingSecret), got config.auth.token, which would lie in a ConfigMap" -}}
{{- end -}}
{{- /* The service takes a name in any case, and a group of settings as one variable. */ -}}
{{- $followed := "CONFIG|REQUEST_SECONDS|WORKERS|SPARE_WORKER|DECODE_THREADS|SCORING_PROCESS|CACHE_BYTES|LPIPS|GRPC(__PORT)?|QUEUE(__BYTES)?|LIMITS(__.*)?" -}}
{{- range .Values.extraEnv -}}
{{- if regexMatch (printf "(?i)^SEMSIM_(%s)$" $followed) .name -}}
{{- $value := .name | lower | trimPrefix "semsim_" | replace "__" "." | printf "config.%s" | replace "config.config" "config" -}}
{{- fail (printf "expected %s, which ports, grace period and memory limit follow, got %s in extraEnv" $value .name) -}}
{{- end -}}
{{- if and (hasPrefix "SEMSIM_AUTH__" .name) (hasSuffix "TOKEN" .name) .value -}}
{{- fail (printf "expected the token in a Secret (auth.existingSecret), got the value of %s in extraEnv" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "semsim.scheme" -}}
{{ ternary "https" "http" (ne .Values.tls.secretName "") }}
{{- end -}}

{{/* True where the chart makes the claim of the engines. */}}
{{- define "semsim.makesClaim" -}}
{{- if and .Values.gpu.enabled .Values.engineCache.persistence (not .Values.engineCache.existingClaim) }}true{{ end -}}
{{- end -}}

{{- define "semsim.strategy" -}}
{{- $strategy := deepCopy .Values.updateStrategy -}}
{{- if eq $strategy.type "Recreate" -}}
{{- $strategy = omit $strategy "rollingUpdate" -}}
{{- else if not $strategy.rollingUpdate -}}
{{- $surge := 1 -}}
{{- if and (include "semsim.makesClaim" .) (not (has "ReadWriteMany" .Values.engineCache.accessModes)) -}}
{{- $surge = 0 -}}
{{- end -}}
{{- $_ := set $strategy "rollingUpdate" (dict "maxSurge" $surge "maxUnavailable" (sub 1 $surge)) -}}
{{- end -}}
{{- toYaml $strategy -}}
{{- end -}}

{{/* The mean queue time of this release's Pods over two minutes, or 0 without requests. */}}
{{- define "semsim.queueQuery" -}}
{{- $pods := printf "{namespace=%q, service=%q}" .Release.Namespace (include "semsim.fullname" .) -}}
sum(rate(semsim_queue_seconds_sum{{ $pods }}[2m])) / clamp_min(sum(rate(semsim_queue_seconds_count{{ $pods }}[2m])), 0.001) or vector(0)
{{- end -}}

{{/* The longest time that a request of this release's Pods waits at this moment, as a mean over the Pods. */}}
{{- define "semsim.oldestQuery" -}}
avg(semsim_queue_oldest_seconds{{ printf "{namespace=%q, service=%q}" .Release.Namespace (include "semsim.fullname" .) }}) or vector(0)
{{- end -}}

{{/* The action of a probe. A kubelet has no client certificate: with mTLS the probe is a TLS handshake, which hangs while
the model is loaded. A refused handshake, too, shows a worker that serves. */}}
{{- define "semsim.probe" -}}
{{- $path := index . 0 -}}
{{- with index . 1 -}}
{{- if .Values.tls.clientCA -}}
exec:
  command:
    - python
    - -c
    - |
      import socket, ssl
      context = ssl.create_default_context()
      context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
      try:
          context.wrap_socket(socket.create_connection(("127.0.0.1", 3000), timeout=4)).close()
      except ssl.SSLError:
          pass
{{- else -}}
httpGet:
  path: {{ $path }}
  port: http
  scheme: {{ include "semsim.scheme" . | upper }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "semsim.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "semsim.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}
